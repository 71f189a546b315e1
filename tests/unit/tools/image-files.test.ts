/** Dockerfile, docker-compose.yml and the workflows, held to what is really there: nobody builds an image in these tests. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { declaredParts } from '../../../tools/image/declared-sizes.ts'
import { isCopied, readIgnoreRules } from '../../../tools/image/docker-ignore.ts'
import { IMAGES } from '../../../tools/image/image-contents.ts'
import { readDockerfile } from './read-dockerfile.ts'

const ROOT = join(import.meta.dirname, '../../..')
const program = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}
const dockerfile = readDockerfile(read('Dockerfile'))
const commands = dockerfile.instructions.filter(({ name }) => name === 'RUN').map(({ text }) => text)
const buildArgs = dockerfile.instructions
  .filter(({ name }) => name === 'ARG')
  .map(({ text }) => text.split('='))

describe('Dockerfile', () => {
  test('everything that it copies is there, and is sent to the builder', () => {
    const rules = readIgnoreRules(read('.dockerignore'))
    const sources = dockerfile.instructions
      .filter(({ from }) => from === undefined)
      .flatMap(({ sources }) => sources)
    const paths = sources.filter((path) => path !== '.')
    expect(paths.length).toBeGreaterThan(5)
    expect(paths.filter((path) => !existsSync(join(ROOT, path)) || !isCopied(path, rules))).toEqual([])
  })

  test('its stages follow one another, for both devices', () => {
    const known = new Set<string>()
    for (const { base, name, instructions } of dockerfile.stages) {
      for (const device of ['cuda', 'cpu']) {
        const of = base.replace('${DEVICE}', device)
        expect(known.has(of) || /^(?:node|debian):/.test(of), `${name || 'the last stage'}: ${of}`).toBe(true)
      }
      for (const { from } of instructions) if (from !== undefined) expect(known).toContain(from)
      known.add(name)
    }
  })

  test('without arguments it makes the image with CUDA', () => {
    expect(buildArgs.find(([name]) => name === 'DEVICE')).toEqual(['DEVICE', 'cuda'])
    expect(dockerfile.stages.at(-1)).toMatchObject({ name: '', base: 'system-${DEVICE}' })
  })

  test('its Node is the one that the tests run on', () => {
    const { node } = program.devDependencies
    const bases = dockerfile.stages.map(({ base }) => base).filter((base) => base.startsWith('node:'))
    expect(bases).toEqual([`node:${node}-bookworm-slim`])
  })

  test('the Debian of all stages is one', () => {
    const releases = dockerfile.stages.flatMap(
      ({ base }) => /^(?:node|debian):.*?([a-z]+)-slim$/.exec(base)?.[1] ?? [],
    )
    expect(new Set(releases)).toEqual(new Set(['bookworm']))
  })

  test('what comes from the network is pinned or is of the Debian release', () => {
    expect(dockerfile.instructions.map(({ name }) => name)).not.toContain('ADD')
    for (const command of commands) {
      expect(command).not.toMatch(/\b(?:curl|wget)\b[^&|]*https?:/)
      expect(command).not.toMatch(/\bnpm (?:install|i|update)\b/)
    }
    const pip = dockerfile.stages.filter(({ instructions }) =>
      instructions.some(({ text }) => text.includes('-m pip ')),
    )
    for (const { instructions } of pip) {
      const settings = instructions.filter(({ name }) => name === 'ENV').map(({ text }) => text)
      expect(settings.join(' ')).toContain('PIP_REQUIRE_HASHES=1')
    }
    const lists = readdirSync(join(ROOT, 'tools/image')).filter((name) => name.endsWith('.txt'))
    expect(lists).toEqual(['cuda-libraries.txt', 'cuda-provider.txt', 'cudnn.txt'])
    for (const line of lists.flatMap(requirements)) {
      expect(line).toMatch(/^[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}$/)
    }
  })

  test('the provider is of the version of the library that loads it', () => {
    const [line] = requirements('cuda-provider.txt')
    expect(line).toMatch(`onnxruntime-gpu==${program.dependencies['onnxruntime-node']} `)
  })

  test('packages of Debian come alone, without headers, and leave no lists', () => {
    const installing = commands.filter((command) => command.includes('apt-get'))
    expect(installing.length).toBe(2)
    for (const command of installing) {
      expect(command).toMatch(
        /apt-get install -y --no-install-recommends [a-z0-9 -]+ && rm -rf \/var\/lib\/apt\/lists\/\*/,
      )
      expect(command).not.toMatch(/-dev\b/)
    }
  })

  test('its build arguments are explained in it, and in docs/worker.md', () => {
    expect(buildArgs.length).toBe(4)
    for (const [name] of buildArgs) {
      expect(dockerfile.header).toMatch(new RegExp(`^#   ${name} {2,}\\S`, 'm'))
      expect(read('docs/worker.md')).toContain(`| \`${name}\` |`)
    }
  })

  test('the program is process 1, is told to stop, and asked whether it is well', () => {
    const last = dockerfile.stages.at(-1)?.instructions ?? []
    const textOf = (name: string) => last.findLast((instruction) => instruction.name === name)?.text
    expect(textOf('CMD')).toBe('["node", "handler.ts"]')
    expect(last.map(({ name }) => name)).not.toContain('ENTRYPOINT')
    expect(textOf('STOPSIGNAL')).toBe('SIGTERM')
    expect(textOf('HEALTHCHECK')).toContain('/health')
  })

  test("what the tests of RunPod's Hub need inside is there: root, curl, apt-get", () => {
    expect(dockerfile.instructions.map(({ name }) => name)).not.toContain('USER')
    expect(
      commands.find((command) => command.includes('apt-get install') && command.includes('curl')),
    ).toBeDefined()
  })

  test('the CUDA image is given GPUs, and no more of the driver than computing needs', () => {
    const variables = dockerfile.stages
      .find(({ name }) => name === 'system-cuda')
      ?.instructions.find(({ name }) => name === 'ENV')?.text
    expect(variables).toBe('NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility')
  })
})

describe('commands named in files that no test runs', () => {
  const workflows = readdirSync(join(ROOT, '.github/workflows'))
  const files = ['Dockerfile', 'docker-compose.yml', ...workflows.map((name) => `.github/workflows/${name}`)]

  test.each(files)('every npm script of %s exists', (file) => {
    const scripts = [...read(file).matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name]) => name as string)
    expect(scripts.filter((name) => !Object.hasOwn(program.scripts, name))).toEqual([])
  })

  test.each(files)('every program of %s exists, and is in the image', (file) => {
    const rules = readIgnoreRules(read('.dockerignore'))
    const programs = [...read(file).matchAll(/\bnode["',]* ["']?([\w./-]+\.ts)/g)].map(
      ([, path]) => path as string,
    )
    expect(programs.filter((path) => !existsSync(join(ROOT, path)) || !isCopied(path, rules))).toEqual([])
  })
})

describe('declared sizes', () => {
  const cuda = declaredParts('cuda', 'x64')

  test('are of the versions that the Dockerfile takes', () => {
    const named = cuda.map(({ what, source }) => `${what} ${source}`).join('\n')
    for (const line of requirements('cuda-libraries.txt')) {
      expect(named).toContain(line.split(' ')[0]?.replace('==', ' '))
    }
    expect(named).toContain(`CUDA provider, ${program.dependencies['onnxruntime-node']}`)
    expect(named).toContain(`Node ${program.devDependencies['node']}`)
  })

  test.skipIf(process.platform !== 'linux')('of Node is that of the Node which runs this', () => {
    expect(process.versions.node).toBe(program.devDependencies['node'])
    const cpu = process.arch === 'arm64' ? 'arm64' : 'x64'
    const node = declaredParts('cpu', cpu).find(({ what }) => what.startsWith('Node '))
    expect(node?.bytes).toBe(statSync(process.execPath).size)
  })
})

describe('docker-compose.yml', () => {
  const { services, volumes } = parse(read('docker-compose.yml'), { merge: true }) as {
    services: Record<string, { build: unknown; volumes?: string[]; command: string[]; image: string }>
    volumes: Record<string, unknown>
  }

  test('one image is built for each device', () => {
    const built = Object.values(services).map(({ image, build }) => `${image} ${JSON.stringify(build)}`)
    expect(new Set(built)).toEqual(
      new Set([
        'runpod-worker-embeddings:cpu {"context":".","args":{"DEVICE":"cpu"}}',
        'runpod-worker-embeddings "."',
      ]),
    )
  })

  test('models are kept where the image looks for them', () => {
    const mounts = Object.values(services).flatMap((service) => service.volumes ?? [])
    expect(new Set(mounts)).toEqual(new Set(['hub:/app/.cache/huggingface']))
    expect(Object.keys(volumes)).toEqual(['hub'])
    expect(commands.join('\n')).toContain('ln -s /app/.cache/huggingface /root/.cache/huggingface')
  })
})

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Job {
  readonly uses?: string
  readonly permissions?: Readonly<Record<string, string>>
  readonly 'timeout-minutes'?: number
  readonly steps?: readonly Step[]
  readonly strategy?: {
    readonly matrix: { readonly include?: readonly Readonly<Record<string, string | number>>[] }
  }
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>
  readonly permissions: Readonly<Record<string, string>>
  readonly concurrency: { readonly group: string }
  readonly defaults?: { readonly run: { readonly shell: string } }
  readonly jobs: Readonly<Record<string, Job>>
}

const workflows = readdirSync(join(ROOT, '.github/workflows')).map((name) => ({
  name,
  workflow: parse(read(`.github/workflows/${name}`)) as Workflow,
}))

describe.each(workflows)('$name', ({ workflow }) => {
  const jobs = Object.values(workflow.jobs)

  test('every action is pinned to a version', () => {
    const actions = jobs.flatMap(({ steps = [] }) => steps.flatMap(({ uses }) => uses ?? []))
    for (const action of actions) expect(action).toMatch(/^[\w-]+\/[\w-]+@v\d+\.\d+\.\d+$/)
    for (const { uses = '' } of jobs.filter(({ uses }) => uses !== undefined)) {
      expect(existsSync(join(ROOT, uses)), uses).toBe(true)
    }
  })

  test('it may read, writes nothing but packages, and keeps no credentials in the checkout', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' })
    for (const { permissions = {}, steps = [] } of jobs) {
      const written = Object.entries(permissions).filter(([, right]) => right !== 'read')
      expect(written.filter(([what]) => what !== 'packages')).toEqual([])
      for (const step of steps.filter(({ uses = '' }) => uses.startsWith('actions/checkout@'))) {
        expect(step.with?.['persist-credentials']).toBe(false)
      }
    }
    expect(workflow.on).not.toHaveProperty('pull_request_target')
  })

  test('two runs of one branch do not meet, and none runs for ever', () => {
    expect(workflow.concurrency.group).toContain('github.ref')
    const endless = jobs.filter((job) => job.uses === undefined && job['timeout-minutes'] === undefined)
    expect(endless).toEqual([])
  })

  test('a command that fails at the left of a pipe is not overlooked', () => {
    const hasPipe = jobs.some(({ steps = [] }) => steps.some(({ run = '' }) => / \| /.test(run)))
    if (hasPipe) expect(workflow.defaults?.run.shell).toBe('bash')
  })

  test('no text of a client of the repository reaches a shell as code', () => {
    for (const { run = '' } of jobs.flatMap(({ steps = [] }) => steps)) expect(run).not.toContain('${{')
  })
})

test('the workflow measures the built images by the limits that are checked here', () => {
  const image = workflows.find(({ name }) => name === 'image.yml')?.workflow
  const built = image?.jobs['build']?.strategy?.matrix.include?.map(
    ({ device, limit }) => `${device} ${limit}`,
  )
  expect(built?.toSorted()).toEqual(
    IMAGES.map(({ device, limitBytes }) => `${device} ${limitBytes}`).toSorted(),
  )
})

test('what is published are the images that are built and measured', () => {
  const publish = workflows.find(({ name }) => name === 'publish.yml')?.workflow
  const rows = publish?.jobs['build']?.strategy?.matrix.include ?? []
  const published = rows.map(({ device, platform }) => `${device}, ${String(platform).replace('linux/', '')}`)
  expect(published.toSorted()).toEqual(IMAGES.map(({ name }) => name).toSorted())
})

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Lines of a list of packages, without comments. */
function requirements(name: string): string[] {
  return read(`tools/image/${name}`)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
}
