/**
 * Problems, hardware and mappings as Timeloop's YAML. Think of it as the way back over the border: what Timeloop has no word for
 * is refused, or stands in a comment, so that nothing is lost unseen. Loops are written innermost first, as Timeloop reads them.
 */
import { MappingError, OptionError } from '../../errors.ts'
import { fanoutOf, type Hardware, type StorageLevel } from '../../schedule/hardware.ts'
import { keeps, type Loop, type Mapping, type MappingLevel } from '../../schedule/mapping.ts'
import { OPERANDS, extentOf, inputSpan, type Dimension, type Operand, type Problem } from '../../schedule/problem.ts'
import { isPlane } from './problem.ts'

/** Which spelling: 0.3 writes `factors: C4 M2` and nested subtrees, 0.4 lists and tagged nodes. */
export interface TimeloopOptions {
  readonly version?: '0.3' | '0.4'
}

const DATA_SPACES: Readonly<Record<Operand, string>> = { weights: 'Weights', inputs: 'Inputs', outputs: 'Outputs' }

/**
 * A mapping as the `mapping:` list of a Timeloop file: one `temporal`, one `spatial` (where there is a fan-out) and one bypass
 * directive a level. Ragged tiles become Timeloop's remainders (`M=4,2`: four steps, two in the last round).
 * @throws MappingError for what Timeloop has no form for: forwarding, a dimension twice among a level's loops
 */
export function timeloopMapping(problem: Problem, hardware: Hardware, mapping: Mapping, options: TimeloopOptions = {}): string {
  const dimensions = usedDimensions(problem)
  const levels = mapping.levels.map((level) => levelFactors(level))
  const remainders = remaindersOf(problem, levels, dimensions)
  const lines = ['mapping:']
  for (const [index, level] of mapping.levels.entries()) {
    if (level.forward !== undefined && Object.keys(level.forward).length > 0) {
      throw new MappingError('Timeloop has no form for words that neighbours hand on', {
        level: level.name,
        remedy: 'Leave "forward" out',
      })
    }
    const { temporal, x, y } = levels[index] ?? { temporal: [], x: [], y: [] }
    const write = (type: string, loops: readonly Loop[], extra: readonly string[] = []): void => {
      const order = [...loops.map(([dimension]) => dimension), ...dimensions.filter((name) => !loops.some(([own]) => own === name))]
      const factors = order.map((dimension): string => {
        const { bound, last } = remainders.get(`${index} ${type} ${dimension}`) ?? { bound: 1, last: 1 }
        return `${dimension}=${bound}${last === bound ? '' : `,${last}`}`
      })
      lines.push(
        `  - target: ${quoted(level.name)}`,
        `    type: ${type}`,
        `    factors: ${options.version === '0.3' ? factors.join(' ') : `[${factors.map(listed).join(', ')}]`}`,
        `    permutation: ${options.version === '0.3' ? order.join('') : `[${order.map(listed).join(', ')}]`}`,
        ...extra,
      )
    }
    // Innermost first; x before y, so that `split` loops lie along x.
    write('temporal', temporal.toReversed())
    const fanout = fanoutOf(hardware, index)
    if (fanout.x * fanout.y > 1) write('spatial', [...x.toReversed(), ...y.toReversed()], [`    split: ${x.length}`])
    const kept = OPERANDS.filter((operand) => keeps(mapping, index, operand, hardware))
    const passed = OPERANDS.filter((operand) => !kept.includes(operand))
    lines.push(
      `  - target: ${quoted(level.name)}`,
      `    type: ${options.version === '0.3' ? 'datatype' : 'dataspace'}`,
      `    keep: [${kept.map((operand) => DATA_SPACES[operand]).join(', ')}]`,
      `    bypass: [${passed.map((operand) => DATA_SPACES[operand]).join(', ')}]`,
    )
  }
  return `${lines.join('\n')}\n`
}

/** A problem as the `problem:` of a Timeloop file, of a convolution's shape, grouped where it has groups. */
export function timeloopProblem(problem: Problem, options: TimeloopOptions = {}): string {
  const dimensions = usedDimensions(problem)
  const group = problem.groups > 1 ? ['- [[G]]'] : []
  const { rows, columns } = inputSpan(problem)
  const [top, left, bottom, right] = problem.padding
  const [height, width] = [rows - top - bottom, columns - left - right]
  const isPadded = problem.padding.some((words) => words > 0)
  const { stride, dilation } = problem
  const isWritten =
    isPlane(height, [top, bottom], (problem.R - 1) * dilation[0] + 1, stride[0]) &&
    isPlane(width, [left, right], (problem.S - 1) * dilation[1] + 1, stride[1])
  const instance: (readonly [string, number])[] = [
    ...dimensions.map((dimension) => [dimension, extentOf(problem, dimension)] as const),
    ['Wstride', problem.stride[0]],
    ['Hstride', problem.stride[1]],
    ['Wdilation', problem.dilation[0]],
    ['Hdilation', problem.dilation[1]],
    ...(isPadded && isWritten
      ? ([
          ['Wpad', top],
          ['Hpad', left],
          ['W', height],
          ['H', width],
        ] as const)
      : []),
  ]
  const isOld = options.version === '0.3'
  const axes = (names: string): string[] => [...names].map((name) => `- [[${listed(name)}]]`)
  const space = (operand: Operand, projection: readonly string[]): string[] => [
    `      - name: ${DATA_SPACES[operand]}`,
    '        projection:',
    ...[...projection, ...group].map((axis) => `          ${axis}`),
  ]
  const lines = [
    ...(isPadded && !isWritten ? [`# Not in Timeloop's form: padding ${problem.padding.join(', ')}`] : []),
    'problem:',
    ...(isOld ? [] : ['  version: 0.4']),
    '  shape:',
    `    name: ${problem.groups === 1 ? 'CNN_Layer' : 'Grouped_CNN_Layer'}`,
    `    dimensions: [${dimensions.map(listed).join(', ')}]`,
    '    coefficients:',
    ...['Wstride', 'Hstride', 'Wdilation', 'Hdilation'].map((name) => `      - {name: ${name}, default: 1}`),
    isOld ? '    data-spaces:' : '    data_spaces:',
    ...space('weights', axes('CMRS')),
    ...space('inputs', [...axes('NC'), '- [[R, Wdilation], [P, Wstride]]', '- [[S, Hdilation], [Q, Hstride]]']),
    ...space('outputs', axes('NMQP')),
    isOld ? '        read-write: True' : '        read_write: true',
    '  instance:',
    ...instance.map(([name, value]) => `    ${listed(name)}: ${value}`),
  ]
  return `${lines.join('\n')}\n`
}

/**
 * A hardware as the `architecture:` of a Timeloop file. Energies stand as `vector-access-energy` and `energy-per-op`; what Timeloop
 * has no attribute for (network energy, compression, other read and write energies) stands in a comment.
 * @throws OptionError for brackets in a level's name, which Timeloop reads as instances
 */
export function timeloopArchitecture(hardware: Hardware, options: TimeloopOptions = {}): string {
  const lines = [`# ${oneLine(hardware.name)}`]
  const lost = unwritten(hardware)
  lines.push(...lost.map((line) => `# Not in Timeloop's form: ${oneLine(line)}`), 'architecture:')
  const isOld = options.version === '0.3'
  // Brackets in a name count instances.
  const top = quoted(oneLine(hardware.name).replaceAll(/[[\]]/g, '_'))
  const bracketed = hardware.levels.find(({ name }) => /[[\]]/.test(name))
  if (bracketed !== undefined) {
    throw new OptionError('Timeloop reads brackets in a name as instances', {
      level: bracketed.name,
      remedy: 'Name the level without',
    })
  }
  lines.push(
    `  version: ${isOld ? '0.3' : '0.4'}`,
    ...(isOld ? ['  subtree:', `    - name: ${top}`, '      local:'] : ['  nodes:', '  - !Container', `    name: ${top}`]),
  )
  const indent = isOld ? '        ' : '  '
  let [x, y] = [1, 1]
  const count = hardware.levels.length
  for (let index = 0; index <= count; index++) {
    const above = index === 0 ? { x: 1, y: 1 } : fanoutOf(hardware, index - 1)
    x *= above.x
    y *= above.y
    const storage = hardware.levels[index]
    const name = storage?.name ?? 'mac'
    const attributes = storage === undefined ? [`energy-per-op: ${hardware.mac.energy}`] : storageAttributes(hardware, storage)
    const className = storage === undefined ? 'intmac' : classOf(hardware, storage, index)
    if (isOld) {
      lines.push(`${indent}- name: ${quoted(x * y > 1 ? `${name}[0..${x * y - 1}]` : name)}`, `${indent}  class: ${className}`)
      attributes.push(`meshX: ${x}`, `meshY: ${y}`)
    } else {
      lines.push(`${indent}- !Component`, `${indent}  name: ${quoted(name)}`, `${indent}  class: ${className}`)
      if (above.x * above.y > 1) lines.push(`${indent}  spatial: {meshX: ${above.x}, meshY: ${above.y}}`)
    }
    lines.push(`${indent}  attributes:`, ...attributes.map((attribute) => `${indent}    ${attribute}`))
  }
  return `${lines.join('\n')}\n`
}

function storageAttributes(hardware: Hardware, storage: StorageLevel): string[] {
  const bits = storage.word_bits ?? hardware.word_bits ?? 16
  return [
    `datawidth: ${bits}`,
    `width: ${bits}`,
    ...(storage.words === undefined ? [] : [`depth: ${storage.words}`]),
    ...(storage.double_buffered === true ? ['multiple_buffering: 2'] : []),
    ...(storage.bandwidth?.read === undefined ? [] : [`read_bandwidth: ${storage.bandwidth.read}`]),
    ...(storage.bandwidth?.write === undefined ? [] : [`write_bandwidth: ${storage.bandwidth.write}`]),
    `vector-access-energy: ${storage.energy}`,
  ]
}

function classOf(hardware: Hardware, storage: StorageLevel, index: number): string {
  if (storage.words === 0) return 'dummy_storage'
  if (storage.words === undefined) return 'DRAM'
  return index === hardware.levels.length - 1 ? 'regfile' : 'SRAM'
}

/** What of a hardware Timeloop's architecture has no word for, one line each. */
function unwritten(hardware: Hardware): string[] {
  const { levels, network, mac, precision, systolic } = hardware
  return [
    ...(network.energy === 0 ? [] : [`a hop between neighbours costs ${network.energy}`]),
    ...(mac.add === undefined ? [] : [`of the energy of a MAC ${mac.add} is the addition's`]),
    ...(precision === undefined ? [] : [`bits of each operand: ${JSON.stringify(precision)}`]),
    ...(systolic === undefined ? [] : [`systolic array, ${systolic}`]),
    ...levels.flatMap(({ name, readEnergy, writeEnergy, multicast, holds, compression, network: own }) => [
      ...(readEnergy === undefined && writeEnergy === undefined
        ? []
        : [`${name}: a read costs ${readEnergy ?? 'the same'}, a write ${writeEnergy ?? 'the same'}`]),
      ...(multicast === false ? [`${name}: a read serves one child only`] : []),
      ...(holds === undefined ? [] : [`${name} holds ${holds.join(', ') || 'nothing'} only`]),
      ...(compression === undefined ? [] : [`${name}: stored over plain size ${JSON.stringify(compression)}`]),
      ...(own === undefined ? [] : [`a hop below ${name} costs ${own.energy}`]),
    ]),
  ]
}

interface LevelFactors {
  readonly temporal: readonly Loop[]
  readonly x: readonly Loop[]
  readonly y: readonly Loop[]
}

/** Loops above 1, neighbours over one dimension made one. @throws MappingError where a dimension is left twice */
function levelFactors({ name, temporal, spatial }: MappingLevel): LevelFactors {
  const merged = (loops: readonly Loop[] = []): Loop[] => {
    const result: Loop[] = []
    for (const [dimension, bound] of loops) {
      const last = result.at(-1)
      if (bound === 1) continue
      if (last?.[0] === dimension) result.splice(-1, 1, [dimension, last[1] * bound])
      else result.push([dimension, bound])
    }
    return result
  }
  const factors = { temporal: merged(temporal), x: merged(spatial?.x), y: merged(spatial?.y) }
  for (const loops of [factors.temporal, [...factors.x, ...factors.y]]) {
    const names = loops.map(([dimension]) => dimension)
    const twice = names.find((dimension, index) => names.indexOf(dimension) !== index)
    if (twice === undefined) continue
    throw new MappingError(`Timeloop has one factor of ${twice} for the loops of a level, this mapping two`, {
      level: name,
      dimension: twice,
      remedy: 'Make them one loop, or split the level in two with one that keeps nothing',
    })
  }
  return factors
}

/** Steps of a loop, and those in the last round of all loops outside it. */
interface Steps {
  readonly bound: number
  readonly last: number
}

/**
 * Steps that each loop takes in the last round of all loops outside it: the digits of the last index, plus one (Timeloop's
 * remainders: dimension = (((r₂−1)·b₁ + r₁−1)·b₀ + r₀).
 */
function remaindersOf(problem: Problem, levels: readonly LevelFactors[], dimensions: readonly Dimension[]): Map<string, Steps> {
  const remainders = new Map<string, Steps>()
  for (const dimension of dimensions) {
    const own = levels
      .flatMap(({ temporal, x, y }, level) => [
        ...temporal.map((loop) => ({ key: `${level} temporal ${dimension}`, loop })),
        ...[...x, ...y].map((loop) => ({ key: `${level} spatial ${dimension}`, loop })),
      ])
      .filter(({ loop: [name] }) => name === dimension)
    let rest = extentOf(problem, dimension) - 1
    for (const { key, loop } of own.toReversed()) {
      remainders.set(key, { bound: loop[1], last: (rest % loop[1]) + 1 })
      rest = Math.floor(rest / loop[1])
    }
    if (rest > 0) {
      throw new MappingError(`The bounds of ${dimension} multiply to less than the problem's ${extentOf(problem, dimension)}`, {
        dimension,
      })
    }
    // Outside the first loop that takes more than one step, nothing repeats: its last round is its only one.
    for (const { key } of own) {
      const last = remainders.get(key)?.last ?? 1
      remainders.set(key, { bound: last, last })
      if (last > 1) break
    }
  }
  return remainders
}

function usedDimensions(problem: Problem): Dimension[] {
  const order: readonly Dimension[] = ['C', 'M', 'R', 'S', 'N', 'P', 'Q', 'G']
  return order.filter((dimension) => dimension !== 'G' || problem.groups > 1)
}

/** A name as a YAML scalar: N alone is read as "no" by some readers. */
function listed(text: string): string {
  return /^N(=|$)/.test(text) ? `'${text}'` : text.includes(',') ? `'${text}'` : text
}

function quoted(text: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(text) ? text : JSON.stringify(text)
}

function oneLine(text: string): string {
  return text.replaceAll(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]+/g, ' ')
}

/** For files with all three. @throws as the three writers */
export function timeloopFile(problem: Problem, hardware: Hardware, mapping: Mapping, options: TimeloopOptions = {}): string {
  if (hardware.levels.length !== mapping.levels.length) throw new OptionError('The mapping is of another hardware')
  return [
    timeloopArchitecture(hardware, options),
    timeloopProblem(problem, options),
    timeloopMapping(problem, hardware, mapping, options),
  ].join('\n')
}
