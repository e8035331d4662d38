/**
 * The emitter: writes the loop nest of a dataflow kernel as WGSL, around the hand-written bodies of shaders/dataflow.
 * Problem sizes, loop bounds and steps are uniforms, so layers whose nests have the same form share one pipeline; register
 * tiles, lane counts and the reduction are constants. The text is snapshot-tested.
 *
 * Names: `m_3` is the uniform part of coordinate m with three temporal loops open, `lane_m` what the lane adds, `on_m` whether
 * the lane's m lies inside the problem; `aw`, `ax`, `ay` are word addresses of weights, inputs, outputs where the PE reads them.
 */
import { DIMENSIONS, REDUCTION, isRelevant, type Dimension, type Operand } from '../problem.ts'
import { ticksOf, type Nest, type NestLoop } from './nest.ts'
import { extentParam, Scope, SHORT, type AddressSteps } from './scope.ts'

/** `traced` logs each access and each MAC with its step (trace.ts), for tiny problems. */
export type Build = 'fast' | 'counted' | 'traced'

export interface Emitted {
  readonly main: string
  /** Uniforms that the text uses besides the problem's own. */
  readonly params: Readonly<Record<string, number>>
}

export function emitMain(nest: Nest, build: Build, addresses: AddressSteps): Emitted {
  const writer = new Writer(nest, build, addresses)
  return writer.write()
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
  readonly #nest: Nest
  readonly #build: Build
  readonly #at: Scope
  /** Steps that one trip of each temporal loop and register loop takes, from the outermost in. */
  readonly #ticks: readonly number[]

  constructor(nest: Nest, build: Build, addresses: AddressSteps) {
    this.#nest = nest
    this.#build = build
    this.#at = new Scope(nest, addresses)
    this.#ticks = ticksOf(nest)
  }

  write(): Emitted {
    this.#at.open(
      '@compute @workgroup_size(LANES)\nfn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {',
    )
    this.#at.line('let group = workgroup_index(wid, grid);')
    this.#at.line('if (group >= params.groups) { return; }')
    if (this.#build === 'traced') {
      this.#at.line('who = vec2(group, lane);')
      this.#at.line('let t_0 = 0u;')
    }
    this.#grid()
    this.#lanes()
    this.#registers()
    this.#depth(0)
    if (this.#build === 'counted') this.#at.line('tally(lane);')
    this.#at.close()
    return { main: this.#at.text, params: this.#at.params }
  }

  /** Which part of the output this workgroup makes. */
  #grid(): void {
    const { grid } = this.#nest
    this.#at.line('// grid: which part of the outputs this workgroup makes')
    if (grid.length > 0) this.#at.line('var part = group;')
    const terms = new Map<Dimension, string[]>()
    grid.toReversed().forEach((loop, k) => {
      const bound = this.#at.param(`grid_${k}`, loop.bound)
      this.#at.line(`let wg_${k} = part % ${bound};`)
      if (k < grid.length - 1) this.#at.line(`part = part / ${bound};`)
      const list = terms.get(loop.dimension) ?? []
      list.push(`wg_${k} * ${this.#at.param(`grid_step_${k}`, loop.step)}`)
      terms.set(loop.dimension, list)
    })
    for (const [dimension, sum] of terms) {
      this.#at.coordinate[dimension] = `${dimension.toLowerCase()}_0`
      this.#at.line(`let ${dimension.toLowerCase()}_0 = ${sum.join(' + ')};`)
      this.#at.line(`if (${dimension.toLowerCase()}_0 >= ${extentParam(dimension)}) { return; }`)
    }
  }

  /** What this lane adds to each coordinate; the lanes that are summed are the fastest. */
  #lanes(): void {
    const { lanes, reduction } = this.#nest
    this.#at.line('// lanes: which PE this invocation is')
    const outer = lanes.filter((loop) => !REDUCTION.includes(loop.dimension))
    const inner = lanes.filter((loop) => REDUCTION.includes(loop.dimension))
    const terms = new Map<Dimension, string[]>()
    const decode = (loops: readonly NestLoop[], source: string, name: string): void => {
      this.#at.line(`var ${name} = ${source};`)
      loops.toReversed().forEach((loop, k) => {
        const bound = this.#at.param(`${name}_${k}`, loop.bound)
        this.#at.line(`let i_${name}_${k} = ${name} % ${bound};`)
        this.#at.line(`${name} = ${name} / ${bound};`)
        const list = terms.get(loop.dimension) ?? []
        list.push(`i_${name}_${k} * ${this.#at.param(`${name}_step_${k}`, loop.step)}`)
        terms.set(loop.dimension, list)
      })
    }
    decode(outer, reduction > 1 ? 'lane / REDUCTION_PAD' : 'lane', 'pe')
    if (reduction > 1) {
      decode(inner, 'lane % REDUCTION_PAD', 'sum')
      this.#at.line('let leader = lane % REDUCTION_PAD == 0u;')
    }
    this.#at.line(`let lane_on = pe == 0u${reduction > 1 ? ' && sum == 0u' : ''};`)
    for (const [dimension, sum] of terms) {
      const name = dimension.toLowerCase()
      this.#at.line(`let lane_${name} = ${sum.join(' + ')};`)
      this.#at.laneGuard(dimension)
    }
    for (const operand of ['weights', 'inputs', 'outputs'] as const) {
      const near = this.#at.near(operand)
      if (near === 'coordinates') continue
      const parts = near === 'glb' ? [`params.glb_${operand}`] : []
      for (const dimension of DIMENSIONS) {
        const name = dimension.toLowerCase()
        const here = [
          ...(near === 'dram' && this.#at.coordinate[dimension] !== '' ? [this.#at.coordinate[dimension]] : []),
          ...(terms.has(dimension) ? [`lane_${name}`] : []),
        ]
        const step = this.#at.addressStep(operand, dimension)
        if (step !== '' && here.length > 0) parts.push(`${here.length > 1 ? `(${here.join(' + ')})` : here[0]} * ${step}`)
      }
      this.#at.address[operand] = `a${SHORT[operand]}_0`
      this.#at.line(`let a${SHORT[operand]}_0 = ${parts.length > 0 ? parts.join(' + ') : '0u'};`)
    }
  }

  #registers(): void {
    const { keep, forward } = this.#nest
    for (const operand of ['weights', 'inputs', 'outputs'] as const) {
      if (keep.registers.has(operand)) {
        const size = this.#at.registerLoops(operand).reduce((product, loop) => product * loop.bound, 1)
        this.#at.line(`var r${SHORT[operand]}: array<f32, ${size}>;`)
      }
    }
    if (forward) this.#at.line('var carried = 0.0;')
  }

  #depth(depth: number): void {
    const { dram, buffer, fill, keep } = this.#nest
    const temporal = [...dram, ...buffer]
    this.#fillBuffer(depth)
    for (const operand of ['weights', 'inputs'] as const) {
      if (keep.registers.has(operand) && fill.registers[operand] === depth) this.#fillRegisters(operand, depth)
    }
    const sums = keep.registers.has('outputs') && fill.registers.outputs === depth
    if (sums) this.#eachRegister('outputs', ({ index }) => this.#at.line(`ry[${index()}] = 0.0;`))
    const loop = temporal[depth]
    if (loop === undefined) this.#mac()
    else this.#loop(loop, depth)
    if (sums) {
      this.#eachRegister('outputs', ({ index, inside, offset }) =>
        this.#send(`ry[${index()}]`, this.#at.active(inside), offset, []),
      )
    }
    if (keep.buffer.has('outputs') && fill.buffer.outputs === depth) {
      this.#at.line('workgroupBarrier();')
      this.#at.line(`drain_outputs(${this.#at.origin('G', 'N', 'M', 'P', 'Q')}, lane);`)
      if (depth > 0) this.#at.line('workgroupBarrier();')
    }
  }

  #loop(loop: NestLoop, depth: number): void {
    const outside = this.#at.names
    const name = loop.dimension.toLowerCase()
    const level = depth < this.#nest.dram.length ? 'DRAM' : 'buffer'
    const before = this.#at.coordinate[loop.dimension]
    this.#at.open(
      `for (var i_${depth} = 0u; i_${depth} < ${this.#at.param(`bound_${depth}`, loop.bound)}; i_${depth}++) { // ${level} ${loop.dimension}`,
    )
    const after = `${name}_${depth + 1}`
    this.#at.line(
      `let ${after} = ${before === '' ? '' : `${before} + `}i_${depth} * ${this.#at.param(`step_${depth}`, loop.step)};`,
    )
    this.#at.line(`if (${after} >= ${extentParam(loop.dimension)}) { break; }`)
    if (this.#build === 'traced') {
      this.#at.line(`let t_${depth + 1} = t_${depth} + i_${depth} * ${this.#at.param(`tick_${depth}`, this.#ticks[depth] ?? 1)};`)
      this.#at.line(`now = t_${depth + 1};`)
    }
    this.#at.coordinate[loop.dimension] = after
    if (this.#at.laneDimensions.has(loop.dimension)) this.#at.laneGuard(loop.dimension)
    for (const operand of ['weights', 'inputs', 'outputs'] as const) {
      const near = this.#at.near(operand)
      if (near === 'coordinates' || (near === 'glb' && level === 'DRAM')) continue
      const step = this.#at.addressStep(operand, loop.dimension)
      if (step === '') continue
      const address = `a${SHORT[operand]}_${depth + 1}`
      const stride = this.#at.param(`a${SHORT[operand]}_step_${depth}`, this.#at.distance(operand, loop.dimension, loop.step))
      this.#at.line(`let ${address} = ${this.#at.address[operand]} + i_${depth} * ${stride};`)
      this.#at.address[operand] = address
    }
    this.#depth(depth + 1)
    this.#at.close()
    this.#at.restore(outside)
  }

  #fillBuffer(depth: number): void {
    const { keep, fill, dram } = this.#nest
    const due = (operand: Operand): boolean => keep.buffer.has(operand) && fill.buffer[operand] === depth
    const back = due('outputs') && dram.slice(0, depth).some((loop) => loop.bound > 1 && REDUCTION.includes(loop.dimension))
    if (!due('weights') && !due('inputs') && !back) return
    if (depth > 0) this.#at.line('workgroupBarrier();')
    if (due('weights')) this.#at.line(`fill_weights(${this.#at.origin('G', 'M', 'C', 'R', 'S')}, lane);`)
    if (due('inputs')) this.#at.line(`fill_inputs(${this.#at.origin('G', 'N', 'C', 'P', 'Q', 'R', 'S')}, lane);`)
    if (back) this.#at.line(`if (!(${this.#first()})) { fill_outputs(${this.#at.origin('G', 'N', 'M', 'P', 'Q')}, lane); }`)
    this.#at.line('workgroupBarrier();')
  }

  #fillRegisters(operand: 'weights' | 'inputs', depth: number): void {
    const { slide, registerTile } = this.#nest
    const register = `r${SHORT[operand]}`
    this.#at.line(`// registers: ${operand}`)
    const load = (): void =>
      this.#eachRegister(operand, ({ index, inside, offset }) => {
        this.#at.line(`${register}[${index()}] = 0.0;`)
        this.#at.line(`if (${this.#at.active(inside)}) { ${register}[${index()}] = ${this.#at.load(operand, offset)}; }`)
      })
    if (operand !== 'inputs' || slide === 0) return load()
    const columns = registerTile.S
    this.#at.open(`if (i_${depth - 1} == 0u) {`)
    load()
    this.#at.close()
    this.#at.open('else { // the window slides: only its new columns are loaded')
    this.#eachRegister(
      'inputs',
      ({ index, inside, offset, windowStep }) => {
        this.#at.open(`for (var old = 0u; old < ${columns - slide}u; old++) {`)
        this.#at.line(`${register}[${index('old')}] = ${register}[${index(`old + ${slide}u`)}];`)
        this.#at.close()
        this.#at.open(`for (var fresh = ${columns - slide}u; fresh < ${columns}u; fresh++) {`)
        this.#at.line(`${register}[${index('fresh')}] = 0.0;`)
        const value = this.#at.load('inputs', [...offset, `fresh * ${windowStep}`])
        this.#at.line(`if (${this.#at.active(inside)}) { ${register}[${index('fresh')}] = ${value}; }`)
        this.#at.close()
      },
      'S',
    )
    this.#at.close()
  }

  /** The multiply-accumulate of one PE and step. */
  #mac(): void {
    const { registers, keep, forward } = this.#nest
    const traced = this.#build === 'traced'
    const bare = traced || !keep.registers.has('weights') || !keep.registers.has('inputs')
    const inside: string[] = []
    for (const [k, loop] of registers.entries()) {
      this.#at.open(`for (var j_${k} = 0u; j_${k} < ${loop.bound}u; j_${k}++) {`)
      inside.push(this.#at.insideRegister(loop, k))
    }
    if (traced && registers.length > 0) this.#at.line(`now = ${this.#registerTime()};`)
    const active = this.#at.active(inside)
    const operand = (name: 'weights' | 'inputs'): string =>
      keep.registers.has(name)
        ? `r${SHORT[name]}[${this.#at.registerIndex(name)}]`
        : this.#at.load(name, this.#at.registerOffsets(name))
    const into = keep.registers.has('outputs') ? `ry[${this.#at.registerIndex('outputs')}] +=` : 'let product ='
    if (forward) this.#macForwarding(active, operand('weights'))
    else if (!bare) {
      this.#at.line(`${into} ${this.#product(operand('weights'), operand('inputs'))};`)
      if (this.#build === 'counted') this.#at.line(`if (${active}) { count_mac(); }`)
    } else if (keep.registers.has('outputs')) {
      this.#at.line(`if (${active}) { ${into} ${this.#product(operand('weights'), operand('inputs'))}; count_mac(); }`)
    } else {
      this.#at.line('var product = 0.0;')
      this.#at.line(`if (${active}) { product = ${this.#product(operand('weights'), operand('inputs'))}; count_mac(); }`)
    }
    if (!keep.registers.has('outputs')) {
      const firsts = registers.flatMap((loop, k) => (REDUCTION.includes(loop.dimension) ? [`j_${k} == 0u`] : []))
      this.#send('product', active, this.#at.registerOffsets('outputs'), firsts)
    }
    for (const _ of registers) this.#at.close()
  }

  /** The traced build logs the two words and the output that they add to. */
  #product(weight: string, input: string): string {
    return this.#build === 'traced' ? `trace_mac(${weight}, ${input}, ${this.#at.outputIndex()})` : `${weight} * ${input}`
  }

  /** The step inside register loops. */
  #registerTime(): string {
    const { dram, buffer, registers } = this.#nest
    const depth = dram.length + buffer.length
    const terms = registers.map((_, k) => `j_${k} * ${this.#at.param(`tick_${depth + k}`, this.#ticks[depth + k] ?? 1)}`)
    return [`t_${depth}`, ...terms].join(' + ')
  }

  /** Inputs from the neighbour: lane q takes at s what lane q+1 held at s−1; only the last lane of a row loads. */
  #macForwarding(active: string, weights: string): void {
    const depth = this.#nest.dram.length + this.#nest.buffer.length - 1
    this.#at.line('let handed = subgroupShuffleDown(carried, 1u);')
    const end = `i_pe_0 + 1u == ${this.#at.param('pe_0', this.#nest.lanes.at(-1)?.bound ?? 1)} || ${this.#at.here('Q')} + 1u >= params.Q`
    this.#at.open(`if (${active}) {`)
    this.#at.line(
      `if (i_${depth} == 0u || ${end}) { carried = ${this.#at.load('inputs', [])}; } else { carried = handed; count_hop_inputs(); }`,
    )
    this.#at.line(`ry[0] += ${this.#product(weights, 'carried')};`)
    this.#at.line('count_mac();')
    this.#at.close()
  }

  /** A partial sum goes up: summed over lanes, then to the buffer or to storage, added to what is there unless it is the first. */
  #send(value: string, active: string, offset: readonly string[], firsts: readonly string[]): void {
    const { reduction, keep } = this.#nest
    let sum = value
    let sender = active
    if (reduction > 1) {
      this.#at.line(`let total = reduce_lanes(select(0.0, ${value}, ${active}), lane, ${active});`)
      sum = 'total'
      sender = `leader && ${active}`
    }
    const first = this.#first(firsts)
    const place = keep.buffer.has('outputs') ? 'glb' : 'dram'
    this.#at.open(`if (${sender}) {`)
    this.#at.line(`let at = ${place === 'glb' ? [this.#at.address.outputs, ...offset].join(' + ') : this.#at.outputIndex()};`)
    if (first === 'true') this.#at.line(`${place}_store_outputs(at, ${sum});`)
    else {
      this.#at.line(`if (${first}) { ${place}_store_outputs(at, ${sum}); }`)
      this.#at.line(`else { ${place}_store_outputs(at, ${place}_load_outputs(at) + ${sum}); }`)
    }
    this.#at.close()
  }

  /** True at the first visit of an output: every loop that is summed over, outside this place, is at its start. */
  #first(more: readonly string[] = []): string {
    const terms = REDUCTION.flatMap((dimension) =>
      this.#at.coordinate[dimension] === '' ? [] : [`${this.#at.coordinate[dimension]} == 0u`],
    )
    return [...terms, ...more].join(' && ') || 'true'
  }

  /** Loops over an operand's register tile; with `window`, that dimension's loop is left to the body. */
  #eachRegister(operand: Operand, body: (place: RegisterPlace) => void, window?: Dimension): void {
    const inside: string[] = []
    let opened = 0
    let windowStep = '0u'
    for (const [k, loop] of this.#nest.registers.entries()) {
      if (loop.dimension === window) windowStep = this.#at.registerStep(operand, loop)
      if (!isRelevant(operand, loop.dimension) || loop.dimension === window) continue
      this.#at.open(`for (var j_${k} = 0u; j_${k} < ${loop.bound}u; j_${k}++) {`)
      inside.push(this.#at.insideRegister(loop, k))
      opened++
    }
    const index = (value = ''): string => this.#at.registerIndex(operand, window, value)
    body({ index, inside, offset: this.#at.registerOffsets(operand, window), windowStep })
    for (let k = 0; k < opened; k++) this.#at.close()
  }
}
