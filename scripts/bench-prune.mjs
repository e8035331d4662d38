/**
 * `npm run bench:prune [FOLDER]`: trained networks pruned by `tilewright prune` with and without permuted channels, and what is left of
 * their answers; large networks with seeded weights, whose channels are permuted and whose results must not change. Prints a table and
 * writes it to bench/results/prune-ADAPTER.txt, with all figures as .json beside it.
 *
 * FOLDER has the models and pictures: models/NAME/model.onnx, images/. Default: TILEWRIGHT_CONFORMANCE, or shared/conformance beside the
 * project. `--quick` takes few pictures and short searches.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { main, ROOT, setUp } from './setup/index.mjs'

const CIFAR = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck']
const PATTERNS = [['2:4'], ['2:4', '--permute'], ['unstructured:0.5']]
/** How a network that loses its answers loses them. */
const SLOWLY = [['unstructured:0.1'], ['unstructured:0.3']]
const SEEDED = ['googlenet', 'resnet50', 'mobilenetv2']

await main(async () => {
  const quick = process.argv.includes('--quick')
  const [given] = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
  const folder = given ?? process.env.TILEWRIGHT_CONFORMANCE ?? join(ROOT, '..', 'shared', 'conformance')
  if (!existsSync(join(folder, 'models'))) {
    console.error(`${folder} has no models: name the folder, or set TILEWRIGHT_CONFORMANCE`)
    return 1
  }
  const { adapter } = await setUp({ adapter: true })
  const scratch = mkdtempSync(join(tmpdir(), 'tilewright-'))
  try {
    writeFileSync(join(scratch, 'cifar.txt'), `${CIFAR.join('\n')}\n`)
    const image = (name) => join(folder, 'images', name)
    const trained = [
      {
        name: 'mnist-cntk',
        args: ['--images', image('mnist/images-idx3-ubyte.gz'), '--labels', image('mnist/labels-idx1-ubyte.gz')],
      },
      {
        name: 'cifar-resnet20',
        args: [
          '--images',
          image('cifar10'),
          '--labels',
          join(scratch, 'cifar.txt'),
          '--preprocess',
          'imagenet',
          '--resize',
          '32x32',
        ],
      },
      {
        name: 'squeezenet1.1',
        args: ['--images', image('.'), '--labels', image('imagenet-labels-synset.txt'), '--preprocess', 'caffe'],
        more: SLOWLY,
      },
    ]
    const prune = (model, args) => {
      const json = join(scratch, 'report.json')
      const { node = process.execPath, env = {} } = adapter ?? {}
      const command = [join(ROOT, 'dist', 'cli.js'), 'prune', model, ...args, '--json', json]
      const { status, stderr } = spawnSync(node, command, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
      if (status !== 0) throw new Error(`prune ${model} ${args.join(' ')} failed:\n${stderr.toString()}`)
      const said = stderr.toString().match(/ on (.*?), \d+ /)?.[1]
      return { report: JSON.parse(readFileSync(json, 'utf8')), adapter: said ?? '' }
    }
    const runs = []
    let title = ''
    for (const { name, args, more: besides = [] } of trained) {
      for (const [pattern, ...more] of [...PATTERNS, ...besides]) {
        console.error(`… ${name} ${pattern} ${more.join(' ')}`)
        const few = quick ? ['--count', '20', ...(more.length > 0 ? ['--budget', '500'] : [])] : []
        const done = prune(join(folder, 'models', name, 'model.onnx'), ['--pattern', pattern, ...more, ...args, ...few])
        title = done.adapter
        runs.push(relative(done.report, folder))
      }
    }
    for (const name of SEEDED) {
      console.error(`… ${name} 2:4 --permute`)
      const done = prune(name, ['--permute', '--budget', quick ? '200' : '3000'])
      runs.push(done.report)
    }
    const machine = `${title}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`
    const text = `${render(machine, runs).join('\n')}\n`
    process.stdout.write(text)
    if (quick) return 0
    const file = join(ROOT, 'bench', 'results', `prune-${/llvmpipe/.test(title) ? 'llvmpipe' : 'gpu'}`)
    mkdirSync(join(ROOT, 'bench', 'results'), { recursive: true })
    writeFileSync(`${file}.txt`, text)
    writeFileSync(`${file}.json`, `${JSON.stringify({ schema: 'tilewright.bench-prune/1', machine, runs }, null, 1)}\n`)
    console.error(`written to ${file}.txt and .json`)
    return 0
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
})

/** Pictures are named without the folder in which this machine keeps them. */
function relative(report, folder) {
  const { comparison } = report
  return { ...report, comparison: { ...comparison, inputs: comparison.inputs.replaceAll(`${folder}/`, '') } }
}

function percent(part) {
  return `${(100 * part).toFixed(2)} %`
}

function share(own) {
  return own === null || own === undefined ? '–' : `${own.right}/${own.of}`
}

function render(machine, runs) {
  const head = [
    'Network',
    'Pattern',
    'Zero',
    'Kept |w|',
    'Efficacy',
    'Same class',
    'Right class',
    'Dense',
    'Error',
    'Permuted alone',
  ]
  const rows = runs.map(({ model, pattern, permuted, totals, comparison }) => {
    const { pruned, dense_permuted: moved, dense } = comparison
    return [
      model,
      permuted ? `${pattern} permuted` : pattern,
      percent(totals.sparsity),
      percent(totals.pruned.retained),
      totals.efficacy === null ? '' : totals.efficacy.toFixed(1),
      share(pruned.agreement),
      share(pruned.accuracy),
      share(dense.accuracy),
      pruned.errors[0].relative.toPrecision(2),
      moved === undefined ? '' : `${moved.errors[0].relative.toExponential(1)}, ${share(moved.agreement)}`,
    ]
  })
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)))
  const line = (cells) =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd()
  const inputs = new Map(runs.map(({ model, comparison }) => [model, comparison.inputs]))
  return [
    'Networks pruned by magnitude, nothing trained afterwards (tilewright prune), beside the dense ones.',
    machine,
    '',
    line(head),
    ...rows.map(line),
    '',
    'Kept |w|: part of Σ|w| of the pruned layers. Efficacy: (kept permuted − kept) / (largest half − kept) · 100. Same class: the highest',
    'score is of the class that the dense network gives; right class: of the class that the picture is known to be of, and of the dense',
    'network (Dense). Error: ‖pruned − dense‖ / ‖dense‖ of the output. Permuted alone: the same error, and the same classes, of the network',
    'whose channels are permuted and whose weights are all there: it computes the same up to the order of f32 sums.',
    ...[...inputs].map(([model, text]) => `${model}: ${text}`),
  ]
}
