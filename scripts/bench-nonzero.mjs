/**
 * `npm run bench:nonzero [CONFORMANCE]`: the survey's Table IV (weights and MACs that are not zero) for the AlexNet and GoogLeNet that
 * Tilewright builds and for three trained networks, on real pictures, by `tilewright inspect --nonzero`. CONFORMANCE is the folder of
 * models and pictures (default: ../shared/conformance). Written to bench/results/nonzero-llvmpipe.txt and .json where the adapter is a
 * software one, to nonzero-gpu.* elsewhere.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { spawnSync } from 'node:child_process'
import { build } from 'vite'
import { main, ROOT, setUp } from './setup/index.mjs'

/** Layers and inputs of each network, as the options of inspect. */
const NETWORKS = [
  { model: 'alexnet', weights: 'seeded', pictures: 'misc', options: ['--preprocess', 'imagenet'] },
  { model: 'googlenet', weights: 'seeded', pictures: 'misc', options: ['--preprocess', 'imagenet'] },
  { model: 'squeezenet1.1', weights: 'trained', pictures: 'misc', options: ['--preprocess', 'caffe'] },
  {
    model: 'cifar-resnet20',
    weights: 'trained',
    pictures: 'cifar10',
    options: ['--preprocess', 'imagenet', '--resize', '32x32', '--crop', '32'],
  },
  { model: 'mnist-cntk', weights: 'trained', pictures: 'mnist', options: [] },
]

/** Rows of Table IV, and where the figures are in a report. */
const ROWS = [
  ['CONV layers', ({ conv }) => conv.layers],
  ['CONV weights', ({ conv }) => conv.weights],
  ['CONV NZ weights', ({ conv }) => conv.nonzero_weights],
  ['CONV MACs', ({ conv }) => conv.macs],
  ['CONV NZ MACs', ({ conv }) => conv.nonzero_macs],
  ['FC layers', ({ fc }) => fc.layers],
  ['FC weights', ({ fc }) => fc.weights],
  ['FC NZ weights', ({ fc }) => fc.nonzero_weights],
  ['FC MACs', ({ fc }) => fc.macs],
  ['FC NZ MACs', ({ fc }) => fc.nonzero_macs],
  ['total NZ weights', ({ total }) => total.nonzero_weights],
  ['total MACs', ({ total }) => total.macs],
  ['total NZ MACs', ({ total }) => total.nonzero_macs],
]
const SURVEY_ROWS = {
  'CONV NZ weights': 'convWeights',
  'CONV NZ MACs': 'convMacs',
  'FC NZ weights': 'fcWeights',
  'FC NZ MACs': 'fcMacs',
  'total NZ weights': 'totalWeights',
  'total NZ MACs': 'totalMacs',
}

const grouped = (value) => Math.round(value).toLocaleString('en-US')

/** Columns wide enough for their cells, the first to the left. */
function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  )
}

function tableFour(results) {
  const columns = results.flatMap(({ model, report: { nonzero } }) => [
    { title: model, cell: ([, pick]) => grouped(pick(nonzero)) },
    ...(nonzero.survey === undefined
      ? []
      : [{ title: 'survey, dense', cell: ([row]) => nonzero.survey.dense[SURVEY_ROWS[row]] ?? '' }]),
  ])
  return aligned([
    ['', ...columns.map(({ title }) => title)],
    ...ROWS.map((row) => [row[0], ...columns.map(({ cell }) => cell(row))]),
  ])
}

await main(async () => {
  const conformance = resolve(process.env.INIT_CWD ?? process.cwd(), process.argv[2] ?? join(ROOT, '..', 'shared', 'conformance'))
  if (!existsSync(join(conformance, 'images'))) {
    console.error(`${conformance} has no models and pictures: give the folder of the conformance data`)
    return 2
  }
  const { adapter } = await setUp({ build: false })
  const outDir = join(ROOT, '.cache', 'bench-nonzero')
  await build({ root: ROOT, configFile: join(ROOT, 'vite.config.ts'), mode: 'node', logLevel: 'warn', build: { outDir } })
  const file = join(outDir, 'report.json')
  const results = []
  const texts = []
  for (const { model, weights, pictures, options } of NETWORKS) {
    const source = weights === 'seeded' ? model : join(conformance, 'models', model, 'model.onnx')
    const args = ['inspect', source, '--nonzero', '--input', join(conformance, 'images', pictures), ...options, '--json', file]
    const { status, stdout } = spawnSync(adapter?.node ?? process.execPath, [join(outDir, 'cli.js'), ...args], {
      env: { ...process.env, ...adapter?.env, NO_COLOR: '1' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 2 ** 26,
    })
    if (status !== 0) return status ?? 1
    console.log(stdout)
    results.push({ model, weights, pictures, options, report: JSON.parse(readFileSync(file, 'utf8')) })
    texts.push(
      `${model}, ${weights} weights, the pictures of images/${pictures}, ${options.join(' ') || 'as they are'}`,
      '',
      stdout,
    )
  }
  rmSync(file)
  const software = results[0]?.report.nonzero.activations.adapter?.software === true
  const name = join(ROOT, 'bench', 'results', `nonzero-${software ? 'llvmpipe' : 'gpu'}`)
  const head = [
    "The survey's Table IV: weights and MACs of a picture whose factors are not zero (NZ). MACs are means over the pictures of each folder.",
    'alexnet and googlenet have seeded weights: their zeros are those of rectifiers over random filters, and compare with the trained',
    "networks of the survey in kind only; their weights and MACs compare exactly. The survey's GoogLeNet pools smaller maps (1.43G MACs).",
    '',
    ...tableFour(results),
    '',
  ]
  mkdirSync(join(ROOT, 'bench', 'results'), { recursive: true })
  writeFileSync(`${name}.txt`, `${[...head, ...texts].join('\n').trimEnd()}\n`)
  const networks = results.map(({ report: { nonzero }, ...rest }) => ({ ...rest, nonzero }))
  writeFileSync(`${name}.json`, `${JSON.stringify({ schema: 'tilewright.bench-nonzero/1', networks }, null, 1)}\n`)
  for (const line of head) console.log(line)
  console.log(`written to ${name}.txt and ${name}.json`)
  return 0
})
