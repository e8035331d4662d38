/**
 * The emitter: writes the loop nest of a dataflow kernel as WGSL, around the hand-written bodies of shaders/dataflow.
 * Problem sizes, loop bounds and steps are uniforms, so layers whose nests have the same form share one pipeline; register
 * tiles, lane counts and the reduction are constants. The text is snapshot-tested.
 *
 * Names: `m_3` is the uniform part of coordinate m with three temporal loops open, `lane_m` what the lane adds, `on_m` whether
 * the lane's m lies inside the problem; `aw`, `ax`, `ay` are word addresses of weights, inputs, outputs where the PE reads them.
 */
import { DIMENSIONS, REDUCTION, isRelevant, type Dimension, type Operand } from '../problem.ts'
import type { Nest, NestLoop } from './nest.ts'

export type Build = 'fast' | 'counted'

export interface Emitted {
  readonly main: string
  /** Uniforms that the text uses besides the problem's own. */
  readonly params: Readonly<Record<string, number>>
}

const SHORT: Readonly<Record<Operand, string>> = { weights: 'w', inputs: 'x', outputs: 'y' }

/** Word distance in `space` when each coordinate grows by one. */
export type AddressSteps = Readonly<Record<Operand, Partial<Readonly<Record<Dimension, number>>>>>

export function emitMain(nest: Nest, build: Build, addresses: AddressSteps): Emitted {
  const writer = new Writer(nest, build, addresses)
  return { main: writer.write(), params: writer.params }
}

/** One word of a register tile, inside the loops over the tile. */
interface RegisterPlace {
  /** Its index in the private array, with `value` in place of the loop over the window. */
  readonly index: (value?: string) => string
  /** Conditions under which it lies inside the problem. */
  readonly inside: readonly string[]
  /** What the register loops add to the address where the PE reads it. */
  readonly offset: readonly string[]
  /** Address step of the window's loop. */
  readonly windowStep: string
}

class Writer {
  readonly params: Record<string, number> = {}
  readonly #nest: Nest
  readonly #build: Build
  readonly #addresses: AddressSteps
  readonly #lines: string[] = []
  #indent = 0
  /** Current name of the uniform part of each coordinate; '' while it is 0. */
  readonly #coordinate: Record<Dimension, string> = { G: '', N: '', M: '', C: '', P: '', Q: '', R: '', S: '' }
  readonly #address: Record<Operand, string> = { weights: '', inputs: '', outputs: '' }
  readonly #laneDimensions: ReadonlySet<Dimension>

  constructor(nest: Nest, build: Build, addresses: AddressSteps) {
    this.#nest = nest
    this.#build = build
    this.#addresses = addresses
    this.#laneDimensions = new Set(nest.lanes.map((loop) => loop.dimension))
  }

  write(): string {
    this.#open(
      '@compute @workgroup_size(LANES)\nfn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {',
    )
    this.#line('let group = workgroup_index(wid, grid);')
    this.#line('if (group >= params.groups) { return; }')
    this.#grid()
    this.#lanes()
    this.#registers()
    this.#depth(0)
    if (this.#build === 'counted') this.#line('tally(lane);')
    this.#close()
    return `${this.#lines.join('\n')}\n`
  }

  /** Which part of the output this workgroup makes. */
  #grid(): void {
    const { grid } = this.#nest
    this.#line('// grid: which part of the outputs this workgroup makes')
    if (grid.length > 0) this.#line('var part = group;')
    const terms = new Map<Dimension, string[]>()
    grid.toReversed().forEach((loop, k) => {
      const bound = this.#param(`grid_${k}`, loop.bound)
      this.#line(`let wg_${k} = part % ${bound};`)
      if (k < grid.length - 1) this.#line(`part = part / ${bound};`)
      const list = terms.get(loop.dimension) ?? []
      list.push(`wg_${k} * ${this.#param(`grid_step_${k}`, loop.step)}`)
      terms.set(loop.dimension, list)
    })
    for (const [dimension, sum] of terms) {
      this.#coordinate[dimension] = `${dimension.toLowerCase()}_0`
      this.#line(`let ${dimension.toLowerCase()}_0 = ${sum.join(' + ')};`)
      this.#line(`if (${dimension.toLowerCase()}_0 >= ${extentParam(dimension)}) { return; }`)
    }
  }

  /** What this lane adds to each coordinate; the lanes that are summed are the fastest. */
  #lanes(): void {
    const { lanes, reduction } = this.#nest
    this.#line('// lanes: which PE this invocation is')
    const outer = lanes.filter((loop) => !REDUCTION.includes(loop.dimension))
    const inner = lanes.filter((loop) => REDUCTION.includes(loop.dimension))
    const terms = new Map<Dimension, string[]>()
    const decode = (loops: readonly NestLoop[], source: string, name: string): void => {
      this.#line(`var ${name} = ${source};`)
      loops.toReversed().forEach((loop, k) => {
        const bound = this.#param(`${name}_${k}`, loop.bound)
        this.#line(`let i_${name}_${k} = ${name} % ${bound};`)
        this.#line(`${name} = ${name} / ${bound};`)
        const list = terms.get(loop.dimension) ?? []
        list.push(`i_${name}_${k} * ${this.#param(`${name}_step_${k}`, loop.step)}`)
        terms.set(loop.dimension, list)
      })
    }
    decode(outer, reduction > 1 ? 'lane / REDUCTION_PAD' : 'lane', 'pe')
    if (reduction > 1) {
      decode(inner, 'lane % REDUCTION_PAD', 'sum')
      this.#line('let leader = lane % REDUCTION_PAD == 0u;')
    }
    this.#line(`let lane_on = pe == 0u${reduction > 1 ? ' && sum == 0u' : ''};`)
    for (const [dimension, sum] of terms) {
      const name = dimension.toLowerCase()
      this.#line(`let lane_${name} = ${sum.join(' + ')};`)
      this.#laneGuard(dimension)
    }
    for (const operand of ['weights', 'inputs', 'outputs'] as const) {
      const near = this.#near(operand)
      if (near === 'coordinates') continue
      const parts = near === 'glb' ? [`params.glb_${operand}`] : []
      for (const dimension of DIMENSIONS) {
        const name = dimension.toLowerCase()
        const here = [
          ...(near === 'dram' && this.#coordinate[dimension] !== '' ? [this.#coordinate[dimension]] : []),
          ...(terms.has(dimension) ? [`lane_${name}`] : []),
        ]
        const step = this.#addressStep(operand, dimension)
        if (step !== '' && here.length > 0) parts.push(`${here.length > 1 ? `(${here.join(' + ')})` : here[0]} * ${step}`)
      }
      this.#address[operand] = `a${SHORT[operand]}_0`
      this.#line(`let a${SHORT[operand]}_0 = ${parts.length > 0 ? parts.join(' + ') : '0u'};`)
    }
  }

  #registers(): void {
    const { keep, forward } = this.#nest
    for (const operand of ['weights', 'inputs', 'outputs'] as const) {
      if (keep.registers.has(operand)) {
        const size = this.#registerLoops(operand).reduce((product, loop) => product * loop.bound, 1)
        this.#line(`var r${SHORT[operand]}: array<f32, ${size}>;`)
      }
    }
    if (forward) this.#line('var carried = 0.0;')
  }

  #depth(depth: number): void {
    const { dram, buffer, fill, keep } = this.#nest
    const temporal = [...dram, ...buffer]
    this.#fillBuffer(depth)
    for (const operand of ['weights', 'inputs'] as const) {
      if (keep.registers.has(operand) && fill.registers[operand] === depth) this.#fillRegisters(operand, depth)
    }
    const sums = keep.registers.has('outputs') && fill.registers.outputs === depth
    if (sums) this.#eachRegister('outputs', ({ index }) => this.#line(`ry[${index()}] = 0.0;`))
    const loop = temporal[depth]
    if (loop === undefined) this.#mac()
    else this.#loop(loop, depth)
    if (sums) {
      this.#eachRegister('outputs', ({ index, inside, offset }) => this.#send(`ry[${index()}]`, this.#active(inside), offset, []))
    }
    if (keep.buffer.has('outputs') && fill.buffer.outputs === depth) {
      this.#line('workgroupBarrier();')
      this.#line(`drain_outputs(${this.#origin('G', 'N', 'M', 'P', 'Q')}, lane);`)
      if (depth > 0) this.#line('workgroupBarrier();')
    }
  }

  #loop(loop: NestLoop, depth: number): void {
    const saved = { coordinate: { ...this.#coordinate }, address: { ...this.#address }, guard: { ...this.#guard } }
    const name = loop.dimension.toLowerCase()
    const level = depth < this.#nest.dram.length ? 'DRAM' : 'buffer'
    const before = this.#coordinate[loop.dimension]
    this.#open(
      `for (var i_${depth} = 0u; i_${depth} < ${this.#param(`bound_${depth}`, loop.bound)}; i_${depth}++) { // ${level} ${loop.dimension}`,
    )
    const after = `${name}_${depth + 1}`
    this.#line(`let ${after} = ${before === '' ? '' : `${before} + `}i_${depth} * ${this.#param(`step_${depth}`, loop.step)};`)
    this.#line(`if (${after} >= ${extentParam(loop.dimension)}) { break; }`)
    this.#coordinate[loop.dimension] = after
    if (this.#laneDimensions.has(loop.dimension)) this.#laneGuard(loop.dimension)
    for (const operand of ['weights', 'inputs', 'outputs'] as const) {
      const near = this.#near(operand)
      if (near === 'coordinates' || (near === 'glb' && level === 'DRAM')) continue
      const step = this.#addressStep(operand, loop.dimension)
      if (step === '') continue
      const address = `a${SHORT[operand]}_${depth + 1}`
      const stride = this.#param(`a${SHORT[operand]}_step_${depth}`, (this.#addresses[operand][loop.dimension] ?? 0) * loop.step)
      this.#line(`let ${address} = ${this.#address[operand]} + i_${depth} * ${stride};`)
      this.#address[operand] = address
    }
    this.#depth(depth + 1)
    this.#close()
    Object.assign(this.#coordinate, saved.coordinate)
    Object.assign(this.#address, saved.address)
    Object.assign(this.#guard, saved.guard)
  }

  #fillBuffer(depth: number): void {
    const { keep, fill, dram } = this.#nest
    const due = (operand: Operand): boolean => keep.buffer.has(operand) && fill.buffer[operand] === depth
    const back = due('outputs') && dram.slice(0, depth).some((loop) => loop.bound > 1 && REDUCTION.includes(loop.dimension))
    if (!due('weights') && !due('inputs') && !back) return
    if (depth > 0) this.#line('workgroupBarrier();')
    if (due('weights')) this.#line(`fill_weights(${this.#origin('G', 'M', 'C', 'R', 'S')}, lane);`)
    if (due('inputs')) this.#line(`fill_inputs(${this.#origin('G', 'N', 'C', 'P', 'Q', 'R', 'S')}, lane);`)
    if (back) this.#line(`if (!(${this.#first()})) { fill_outputs(${this.#origin('G', 'N', 'M', 'P', 'Q')}, lane); }`)
    this.#line('workgroupBarrier();')
  }

  #fillRegisters(operand: 'weights' | 'inputs', depth: number): void {
    const { slide, registerTile } = this.#nest
    const register = `r${SHORT[operand]}`
    this.#line(`// registers: ${operand}`)
    const load = (): void =>
      this.#eachRegister(operand, ({ index, inside, offset }) => {
        this.#line(`${register}[${index()}] = 0.0;`)
        this.#line(`if (${this.#active(inside)}) { ${register}[${index()}] = ${this.#load(operand, offset)}; }`)
      })
    if (operand !== 'inputs' || slide === 0) return load()
    const columns = registerTile.S
    this.#open(`if (i_${depth - 1} == 0u) {`)
    load()
    this.#close()
    this.#open('else { // the window slides: only its new columns are loaded')
    this.#eachRegister(
      'inputs',
      ({ index, inside, offset, windowStep }) => {
        this.#open(`for (var old = 0u; old < ${columns - slide}u; old++) {`)
        this.#line(`${register}[${index('old')}] = ${register}[${index(`old + ${slide}u`)}];`)
        this.#close()
        this.#open(`for (var fresh = ${columns - slide}u; fresh < ${columns}u; fresh++) {`)
        this.#line(`${register}[${index('fresh')}] = 0.0;`)
        const value = this.#load('inputs', [...offset, `fresh * ${windowStep}`])
        this.#line(`if (${this.#active(inside)}) { ${register}[${index('fresh')}] = ${value}; }`)
        this.#close()
      },
      'S',
    )
    this.#close()
  }

  /** The multiply-accumulate of one PE and step. */
  #mac(): void {
    const { registers, keep, forward } = this.#nest
    const bare = !keep.registers.has('weights') || !keep.registers.has('inputs')
    const inside: string[] = []
    for (const [k, loop] of registers.entries()) {
      this.#open(`for (var j_${k} = 0u; j_${k} < ${loop.bound}u; j_${k}++) {`)
      inside.push(this.#insideRegister(loop, k))
    }
    const active = this.#active(inside)
    const operand = (name: 'weights' | 'inputs'): string =>
      keep.registers.has(name) ? `r${SHORT[name]}[${this.#registerIndex(name)}]` : this.#load(name, this.#registerOffsets(name))
    const into = keep.registers.has('outputs') ? `ry[${this.#registerIndex('outputs')}] +=` : 'let product ='
    if (forward) this.#macForwarding(active, operand('weights'))
    else if (!bare) {
      this.#line(`${into} ${operand('weights')} * ${operand('inputs')};`)
      if (this.#build === 'counted') this.#line(`if (${active}) { count_mac(); }`)
    } else if (keep.registers.has('outputs')) {
      this.#line(`if (${active}) { ${into} ${operand('weights')} * ${operand('inputs')}; count_mac(); }`)
    } else {
      this.#line('var product = 0.0;')
      this.#line(`if (${active}) { product = ${operand('weights')} * ${operand('inputs')}; count_mac(); }`)
    }
    if (!keep.registers.has('outputs')) {
      const firsts = registers.flatMap((loop, k) => (REDUCTION.includes(loop.dimension) ? [`j_${k} == 0u`] : []))
      this.#send('product', active, this.#registerOffsets('outputs'), firsts)
    }
    for (const _ of registers) this.#close()
  }

  /** Inputs from the neighbour: lane q takes at s what lane q+1 held at s−1; only the last lane of a row loads. */
  #macForwarding(active: string, weights: string): void {
    const depth = this.#nest.dram.length + this.#nest.buffer.length - 1
    this.#line('let handed = subgroupShuffleDown(carried, 1u);')
    const end = `i_pe_0 + 1u == ${this.#param('pe_0', this.#nest.lanes.at(-1)?.bound ?? 1)} || ${this.#here('Q')} + 1u >= params.Q`
    this.#open(`if (${active}) {`)
    this.#line(
      `if (i_${depth} == 0u || ${end}) { carried = ${this.#load('inputs', [])}; } else { carried = handed; count_hop_inputs(); }`,
    )
    this.#line(`ry[0] += ${weights} * carried;`)
    this.#line('count_mac();')
    this.#close()
  }

  /** A partial sum goes up: summed over lanes, then to the buffer or to storage, added to what is there unless it is the first. */
  #send(value: string, active: string, offset: readonly string[], firsts: readonly string[]): void {
    const { reduction, keep } = this.#nest
    let sum = value
    let sender = active
    if (reduction > 1) {
      this.#line(`let total = reduce_lanes(select(0.0, ${value}, ${active}), lane, ${active});`)
      sum = 'total'
      sender = `leader && ${active}`
    }
    const first = this.#first(firsts)
    const place = keep.buffer.has('outputs') ? 'glb' : 'dram'
    this.#open(`if (${sender}) {`)
    this.#line(`let at = ${place === 'glb' ? [this.#address.outputs, ...offset].join(' + ') : this.#outputIndex()};`)
    if (first === 'true') this.#line(`${place}_store_outputs(at, ${sum});`)
    else {
      this.#line(`if (${first}) { ${place}_store_outputs(at, ${sum}); }`)
      this.#line(`else { ${place}_store_outputs(at, ${place}_load_outputs(at) + ${sum}); }`)
    }
    this.#close()
  }

  /** True at the first visit of an output: every loop that is summed over, outside this place, is at its start. */
  #first(more: readonly string[] = []): string {
    const terms = REDUCTION.flatMap((dimension) =>
      this.#coordinate[dimension] === '' ? [] : [`${this.#coordinate[dimension]} == 0u`],
    )
    return [...terms, ...more].join(' && ') || 'true'
  }

  #near(operand: Operand): 'glb' | 'dram' | 'coordinates' {
    if (this.#nest.keep.buffer.has(operand)) return 'glb'
    return operand === 'weights' ? 'dram' : 'coordinates'
  }

  #load(operand: 'weights' | 'inputs', offset: readonly string[]): string {
    const near = this.#near(operand)
    if (near !== 'coordinates') return `${near}_load_${operand}(${[this.#address[operand], ...offset].join(' + ')})`
    const at = (['G', 'N', 'C', 'P', 'Q', 'R', 'S'] as const).map((dimension) => this.#here(dimension))
    return `padded_input(${at.join(', ')})`
  }

  #outputIndex(): string {
    const [g, n, m, p, q] = (['G', 'N', 'M', 'P', 'Q'] as const).map((dimension) => this.#here(dimension))
    return `(((${n} * params.groups_G + ${g}) * params.M + ${m}) * params.P + ${p}) * params.Q + ${q}`
  }

  /** The full coordinate of this lane (and register loop) along a dimension. */
  #here(dimension: Dimension): string {
    const parts = [
      ...(this.#coordinate[dimension] === '' ? [] : [this.#coordinate[dimension]]),
      ...(this.#laneDimensions.has(dimension) ? [`lane_${dimension.toLowerCase()}`] : []),
      ...this.#nest.registers.flatMap((loop, k) => (loop.dimension === dimension ? [`j_${k} * ${loop.step}u`] : [])),
    ]
    return parts.length === 0 ? '0u' : parts.length === 1 ? (parts[0] ?? '0u') : `(${parts.join(' + ')})`
  }

  #registerLoops(operand: Operand): readonly NestLoop[] {
    return this.#nest.registers.filter((loop) => isRelevant(operand, loop.dimension))
  }

  /** Row-major index into an operand's register tile, with `value` in place of the loop over `replaced`. */
  #registerIndex(operand: Operand, replaced?: Dimension, value = ''): string {
    let index = ''
    for (const [k, loop] of this.#nest.registers.entries()) {
      if (!isRelevant(operand, loop.dimension)) continue
      const term = loop.dimension === replaced ? `(${value})` : `j_${k}`
      index = index === '' ? term : `(${index}) * ${loop.bound}u + ${term}`
    }
    return index === '' ? '0' : index
  }

  #registerOffsets(operand: Operand, except?: Dimension): string[] {
    return this.#nest.registers.flatMap((loop, k) => {
      if (!isRelevant(operand, loop.dimension) || loop.dimension === except) return []
      return [`j_${k} * ${this.#registerStep(operand, loop)}`]
    })
  }

  #registerStep(operand: Operand, loop: NestLoop): string {
    return this.#param(`a${SHORT[operand]}_reg_${loop.dimension}`, (this.#addresses[operand][loop.dimension] ?? 0) * loop.step)
  }

  #insideRegister(loop: NestLoop, k: number): string {
    const parts = [
      ...(this.#coordinate[loop.dimension] === '' ? [] : [this.#coordinate[loop.dimension]]),
      ...(this.#laneDimensions.has(loop.dimension) ? [`lane_${loop.dimension.toLowerCase()}`] : []),
      `j_${k} * ${loop.step}u`,
    ]
    return `${parts.join(' + ')} < ${extentParam(loop.dimension)}`
  }

  /** Loops over an operand's register tile; with `window`, that dimension's loop is left to the body. */
  #eachRegister(operand: Operand, body: (place: RegisterPlace) => void, window?: Dimension): void {
    const inside: string[] = []
    let opened = 0
    let windowStep = '0u'
    for (const [k, loop] of this.#nest.registers.entries()) {
      if (loop.dimension === window) windowStep = this.#registerStep(operand, loop)
      if (!isRelevant(operand, loop.dimension) || loop.dimension === window) continue
      this.#open(`for (var j_${k} = 0u; j_${k} < ${loop.bound}u; j_${k}++) {`)
      inside.push(this.#insideRegister(loop, k))
      opened++
    }
    const index = (value = ''): string => this.#registerIndex(operand, window, value)
    body({ index, inside, offset: this.#registerOffsets(operand, window), windowStep })
    for (let k = 0; k < opened; k++) this.#close()
  }

  #active(inside: readonly string[]): string {
    const guards = [...this.#laneDimensions].map((dimension) => this.#guard[dimension] ?? 'true')
    return ['lane_on', ...guards, ...inside].join(' && ')
  }

  readonly #guard: Partial<Record<Dimension, string>> = {}
  #guards = 0

  #laneGuard(dimension: Dimension): void {
    const name = `on_${dimension.toLowerCase()}_${this.#guards++}`
    const base = this.#coordinate[dimension]
    this.#line(`let ${name} = ${base === '' ? '' : `${base} + `}lane_${dimension.toLowerCase()} < ${extentParam(dimension)};`)
    this.#guard[dimension] = name
  }

  #addressStep(operand: Operand, dimension: Dimension): string {
    const step = this.#addresses[operand][dimension]
    return step === undefined || !isRelevant(operand, dimension) ? '' : this.#param(`a${SHORT[operand]}_${dimension}`, step)
  }

  #origin(...dimensions: readonly Dimension[]): string {
    return dimensions.map((dimension) => this.#coordinate[dimension] || '0u').join(', ')
  }

  #param(name: string, value: number): string {
    this.params[name] = value
    return `params.${name}`
  }

  #open(text: string): void {
    this.#line(text)
    this.#indent++
  }

  #close(): void {
    this.#indent--
    this.#line('}')
  }

  #line(text: string): void {
    this.#lines.push(`${'  '.repeat(this.#indent)}${text}`)
  }
}

function extentParam(dimension: Dimension): string {
  return dimension === 'G' ? 'params.groups_G' : `params.${dimension}`
}
