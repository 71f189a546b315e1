/** Names of the files of a prepacked model. */
export const MODEL_FILE = 'model.onnx'
export const WEIGHTS_FILE = 'weights.bin'
export const FACTS_FILE = 'facts.json'
