/** What clients are told of a failure within ONNX Runtime. */
import { expect, test } from 'vitest'
import { withoutSource } from '../../../src/runtime/library-message.ts'

const ROOT = '/onnxruntime_src/onnxruntime/core'

test.each([
  [
    `while running Add node. Name:'/x/Add' Status Message: ${ROOT}/cpu/ops.h:540 void onnxruntime::Append(ptrdiff_t, ptrdiff_t) axis == largest was false. 72 by 202`,
    "while running Add node. Name:'/x/Add' Status Message: axis == largest was false. 72 by 202",
  ],
  [
    `${ROOT}/x.cc:12 onnxruntime::common::Status onnxruntime::(anonymous namespace)::F<T>::g(const std::function<void(int)>&, int [3]) const [with T = float; X = int[4]] size(1) was false. why`,
    'size(1) was false. why',
  ],
  [`${ROOT}/x.cc:3 Status onnxruntime::f(int)::<lambda(int)> [with T = x] bad (a) thing`, 'bad (a) thing'],
  [
    `first ${ROOT}/x.cc:3 Status f(int) bad, then ${ROOT}/y.cu:4 Status g() const worse`,
    'first bad, then worse',
  ],
  ['D:\\a\\_work\\core\\x.cc:3 Status __cdecl f(int) bad', 'bad'],
  [`${ROOT}/x.cc:3 plain words`, 'plain words'],
  [
    `CUDA failure 2: out of memory ; GPU=0 ; hostname=abc ; file=${ROOT}/cuda_call.cc ; line=129 ; expr=cudaMalloc(x)`,
    'CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc(x)',
  ],
  [
    'Load model from /models/a/onnx/model.onnx failed:Protobuf parsing failed.',
    'Load model from /models/a/onnx/model.onnx failed:Protobuf parsing failed.',
  ],
])('%s', (message, shown) => {
  expect(withoutSource(message)).toBe(shown)
})
