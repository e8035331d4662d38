/** What the page of a mapping space is drawn from: samples, the Pareto front, roofs and intensities; and the page's HTML. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { HARDWARE_NAMES, hardwareNamed } from '../../models/hardware/index.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import {
  MAPPING_SPACE_SCHEMA,
  brief,
  intensitiesOf,
  paretoFront,
  pointsOf,
  roofLevels,
  roofsOf,
  type MappingSpace,
} from '../../src/profile/html/mapping/data.ts'
import { renderMappingPage } from '../../src/profile/html/mapping/render.ts'
import { sampleMappings } from '../../src/profile/html/mapping/sample.ts'
import { DATAFLOW_NAMES } from '../../src/schedule/dataflow.ts'
import { loopNest } from '../../src/schedule/loopnest.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import { convProblem } from '../../src/schedule/problem.ts'
import { folderOf, tilewright } from '../cli/harness.ts'

vi.setConfig({ testTimeout: 60_000 })

const eyeriss = hardwareNamed('eyeriss')
const problem = convProblem({ N: 2, M: 13, C: 6, P: 7, Q: 9, R: 3, S: 5, stride: [2, 1], padding: [1, 0, 1, 2], groups: 2 })

function space(): MappingSpace {
  const dataflows = ['ws', 'rs', 'none']
  return {
    schema: MAPPING_SPACE_SCHEMA,
    title: 'a </script> layer',
    problem,
    hardware: eyeriss,
    objective: 'energy',
    chosen: dataflows.map((dataflow) => {
      const { mapping, evaluation, searched } = mapProblem(problem, { hardware: eyeriss, dataflow, budget: 400 })
      return { dataflow, mapping, evaluation, searched, nest: loopNest(problem, eyeriss, mapping) }
    }),
    samples: dataflows.flatMap((dataflow) =>
      [...sampleMappings(problem, eyeriss, { dataflow, count: 60 })].map(({ mapping, energy, cycles }) => ({
        dataflow,
        energy,
        cycles,
        brief: brief(mapping),
      })),
    ),
    failed: [],
  }
}

describe('samples', () => {
  it.each([...DATAFLOW_NAMES, 'none'])('of %s are legal, different, evaluated, and the same for a seed', (dataflow) => {
    const drawn = [...sampleMappings(problem, eyeriss, { dataflow, count: 80, seed: 3 })]
    expect(drawn.length).toBeGreaterThan(40)
    expect(new Set(drawn.map(({ mapping }) => JSON.stringify(mapping))).size).toBeGreaterThan(0.9 * drawn.length)
    for (const { mapping, energy, cycles } of drawn.slice(0, 20)) {
      const found = evaluate(problem, eyeriss, mapping)
      expect(energy).toBeCloseTo(found.energy.total, 3)
      expect(cycles).toBe(found.cycles)
    }
    expect([...sampleMappings(problem, eyeriss, { dataflow, count: 80, seed: 3 })]).toEqual(drawn)
    expect([...sampleMappings(problem, eyeriss, { dataflow, count: 80, seed: 4 })]).not.toEqual(drawn)
  })

  it('are refused by name where there is nothing to draw', () => {
    const draw = (options: object) => () => [...sampleMappings(problem, eyeriss, { count: 1, ...options })]
    expect(draw({ dataflow: 'nope' })).toThrow(/no dataflow called "nope"/)
    expect(draw({ count: -1 })).toThrow(/-1 samples/)
    expect(draw({ seed: 0.5 })).toThrow(/seed 0.5 is no integer/)
  })
})

describe('the Pareto front', () => {
  it('holds what no other point beats, and beats the rest', () => {
    const figure = fc.integer({ min: 1, max: 30 })
    fc.assert(
      fc.property(fc.array(fc.record({ energy: figure, cycles: figure }), { minLength: 1 }), (points) => {
        const front = paretoFront(points)
        expect(front.length).toBeGreaterThan(0)
        for (const point of points) {
          const beaten = front.some(({ energy, cycles }) => energy <= point.energy && cycles <= point.cycles)
          expect(beaten).toBe(true)
        }
        for (const one of front) {
          for (const other of points) {
            expect(other.energy < one.energy && other.cycles <= one.cycles).toBe(false)
            expect(other.energy <= one.energy && other.cycles < one.cycles).toBe(false)
          }
        }
      }),
    )
  })
})

describe('the page', () => {
  it('has a point for each mapping, and intensities that follow from the counts', () => {
    const made = space()
    expect(pointsOf(made)).toHaveLength(made.samples.length + 3)
    const found = intensitiesOf(made)
    // A mapping may bypass the buffer altogether: then nothing is said of it there.
    const used = (level: string) =>
      made.chosen.filter(({ evaluation: { accesses } }) =>
        Object.values(accesses[level] ?? {}).some(({ reads, fills, updates }) => reads + fills + updates > 0),
      ).length
    expect(used('DRAM')).toBe(3)
    expect(used('GLB')).toBeGreaterThan(0)
    for (const level of ['DRAM', 'GLB']) expect(found.filter((one) => one.level === level)).toHaveLength(used(level))
    const [{ evaluation } = { evaluation: undefined }] = made.chosen
    if (evaluation === undefined) throw new Error('Nothing was chosen')
    const dram = Object.values(evaluation.accesses['DRAM'] ?? {}).reduce(
      (sum, { reads, fills, updates }) => sum + reads + fills + updates,
      0,
    )
    const bytes = 2 * (dram - (evaluation.padding?.['DRAM'] ?? 0))
    expect(found[0]?.intensity).toBe((2 * evaluation.macs) / bytes)
    expect(found[0]?.rate).toBe((2 * evaluation.macs) / evaluation.cycles)
  })

  it('knows the roof of every published hardware', () => {
    let roofs = 0
    for (const name of HARDWARE_NAMES) {
      const hardware = hardwareNamed(name)
      const { peak, roofs: found } = roofsOf(hardware)
      expect(peak, name).toBeGreaterThanOrEqual(2)
      for (const { level, bytes } of found) {
        expect(roofLevels(hardware)).toContain(level)
        expect(bytes).toBeGreaterThan(0)
        roofs++
      }
    }
    expect(roofsOf(eyeriss).peak).toBe(2 * 168)
    expect(roofs).toBeGreaterThan(3)
  })

  it('draws no mapping above its roof', () => {
    const layer = convProblem({ M: 96, C: 64, P: 13, Q: 13, R: 3, S: 3, padding: [1, 1, 1, 1] })
    let compared = 0
    for (const name of HARDWARE_NAMES) {
      const hardware = hardwareNamed(name)
      const { peak, roofs } = roofsOf(hardware)
      if (roofs.length === 0) continue
      const chosen = [...sampleMappings(layer, hardware, { count: 20 })].map(({ mapping }) => ({
        dataflow: 'none',
        mapping,
        evaluation: evaluate(layer, hardware, mapping),
        nest: '',
      }))
      for (const { level, intensity, rate } of intensitiesOf({ hardware, chosen })) {
        const bytes = roofs.find((roof) => roof.level === level)?.bytes ?? Infinity
        // What DRAM does not hold, zero padding, moves a point to the right, not up.
        expect(rate, `${name} ${level}`).toBeLessThanOrEqual(Math.min(peak, intensity * bytes) * (1 + 1e-9))
        compared++
      }
    }
    expect(compared).toBeGreaterThan(60)
  })

  it('is one file that fetches nothing, with its data and its words, whatever a name says', () => {
    const made = space()
    const html = renderMappingPage(made, { script: 'console.log("</script>")' })
    expect(html).toContain('<title>a &lt;/script&gt; layer on eyeriss</title>')
    expect(html.match(/<\/script>/g)).toHaveLength(2)
    expect(html).not.toMatch(/(src|href)="(?!data:)/)
    const json = /id="report-data">\n(.*)\n<\/script>/.exec(html)?.[1] ?? ''
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(made)))
    expect(html).toMatch(/<li>rs: [\d.]+ [kMG]? ?MAC energies, [\d,]+ cycles, utilisation/)
  })

  it('tells a mapping in one line', () => {
    expect(
      brief({
        levels: [
          {
            name: 'DRAM',
            temporal: [
              ['M', 8],
              ['C', 1],
            ],
          },
          {
            name: 'GLB',
            temporal: [['Q', 27]],
            spatial: {
              x: [['P', 14]],
              y: [
                ['R', 5],
                ['C', 2],
              ],
            },
            keep: ['inputs', 'outputs'],
          },
          { name: 'RF', temporal: [], keep: [] },
        ],
      }),
    ).toBe('DRAM M8 | GLB Q27, x P14, y R5 C2; keeps inputs outputs | RF –; keeps nothing')
  })
})

describe('tilewright map --html', () => {
  it.each([
    [['lenet5', '--hardware', 'eyeriss', '--html', 'out.html'], '--html draws one layer on one hardware'],
    [['alexnet:conv3', '--hardware', 'eyeriss', '--profile', 'x.json'], '--profile is for the page'],
  ])('refuses %j by name', async (args, message) => {
    const files = folderOf({})
    try {
      const placed = args.map((arg) => (/\.(html|json)$/.test(arg) ? files.path(arg) : arg))
      const { code, err } = await tilewright(['map', ...placed])
      expect(code).toBe(1)
      expect(err).toContain(`OptionError: ${message}`)
    } finally {
      files.remove()
    }
  })

  it('refuses a profile that is none', async () => {
    const files = folderOf({ 'profile.json': '{ "schema": "tilewright.profile/1" }' })
    try {
      const args = [
        'map',
        'alexnet:conv3',
        '--hardware',
        'eyeriss',
        '--html',
        files.path('x.html'),
        '--profile',
        files.path('profile.json'),
      ]
      const { code, err } = await tilewright(args)
      expect(code).toBe(1)
      expect(err).toMatch(/OptionError: .*profile\.json: This is no profile/)
    } finally {
      files.remove()
    }
  })
})
