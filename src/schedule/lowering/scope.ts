/**
 * What the WGSL being written can name at the place it has come to: coordinates, addresses, guards of lanes, register indices;
 * and the text itself. The emitter (emit.ts) walks the nest; this says what things are called there.
 */
import { isRelevant, type Dimension, type Operand } from '../problem.ts'
import type { Nest, NestLoop } from './nest.ts'

export const SHORT: Readonly<Record<Operand, string>> = { weights: 'w', inputs: 'x', outputs: 'y' }

/** Word distance where the PE reads an operand (buffer tile or storage) when a coordinate grows by one. */
export type AddressSteps = Readonly<Record<Operand, Partial<Readonly<Record<Dimension, number>>>>>

export function extentParam(dimension: Dimension): string {
  return dimension === 'G' ? 'params.groups_G' : `params.${dimension}`
}

/** Names that hold inside one loop, to be put back when it closes. */
interface Names {
  readonly coordinate: Record<Dimension, string>
  readonly address: Record<Operand, string>
  readonly guard: Partial<Record<Dimension, string>>
}

export class Scope {
  /** Uniforms named so far, with their values. */
  readonly params: Record<string, number> = {}
  /** Current name of the uniform part of each coordinate; empty while it is 0. */
  readonly coordinate: Record<Dimension, string> = { G: '', N: '', M: '', C: '', P: '', Q: '', R: '', S: '' }
  readonly address: Record<Operand, string> = { weights: '', inputs: '', outputs: '' }
  readonly #guard: Partial<Record<Dimension, string>> = {}
  readonly #nest: Nest
  readonly #addresses: AddressSteps
  readonly #lines: string[] = []
  #indent = 0
  #guards = 0
  readonly laneDimensions: ReadonlySet<Dimension>

  constructor(nest: Nest, addresses: AddressSteps) {
    this.#nest = nest
    this.#addresses = addresses
    this.laneDimensions = new Set(nest.lanes.map((loop) => loop.dimension))
  }

  get text(): string {
    return `${this.#lines.join('\n')}\n`
  }

  open(text: string): void {
    this.line(text)
    this.#indent++
  }

  close(): void {
    this.#indent--
    this.line('}')
  }

  line(text: string): void {
    this.#lines.push(`${'  '.repeat(this.#indent)}${text}`)
  }

  param(name: string, value: number): string {
    this.params[name] = value
    return `params.${name}`
  }

  get names(): Names {
    return { coordinate: { ...this.coordinate }, address: { ...this.address }, guard: { ...this.#guard } }
  }

  /** Puts names back to what they were outside a loop. */
  restore(names: Names): void {
    Object.assign(this.coordinate, names.coordinate)
    Object.assign(this.address, names.address)
    Object.assign(this.#guard, names.guard)
  }

  /** What this operand's words move by along a dimension, for a loop of `step`. */
  distance(operand: Operand, dimension: Dimension, step: number): number {
    return (this.#addresses[operand][dimension] ?? 0) * step
  }

  near(operand: Operand): 'glb' | 'dram' | 'coordinates' {
    if (this.#nest.keep.buffer.has(operand)) return 'glb'
    return operand === 'weights' ? 'dram' : 'coordinates'
  }

  load(operand: 'weights' | 'inputs', offset: readonly string[]): string {
    const near = this.near(operand)
    if (near !== 'coordinates') return `${near}_load_${operand}(${[this.address[operand], ...offset].join(' + ')})`
    const at = (['G', 'N', 'C', 'P', 'Q', 'R', 'S'] as const).map((dimension) => this.here(dimension))
    return `padded_input(${at.join(', ')})`
  }

  outputIndex(): string {
    const [g, n, m, p, q] = (['G', 'N', 'M', 'P', 'Q'] as const).map((dimension) => this.here(dimension))
    return `(((${n} * params.groups_G + ${g}) * params.M + ${m}) * params.P + ${p}) * params.Q + ${q}`
  }

  /** The full coordinate of this lane (and register loop) along a dimension. */
  here(dimension: Dimension): string {
    const parts = [
      ...(this.coordinate[dimension] === '' ? [] : [this.coordinate[dimension]]),
      ...(this.laneDimensions.has(dimension) ? [`lane_${dimension.toLowerCase()}`] : []),
      ...this.#nest.registers.flatMap((loop, k) => (loop.dimension === dimension ? [`j_${k} * ${loop.step}u`] : [])),
    ]
    return parts.length === 0 ? '0u' : parts.length === 1 ? (parts[0] ?? '0u') : `(${parts.join(' + ')})`
  }

  registerLoops(operand: Operand): readonly NestLoop[] {
    return this.#nest.registers.filter((loop) => isRelevant(operand, loop.dimension))
  }

  /** Row-major index into an operand's register tile, with `value` in place of the loop over `replaced`. */
  registerIndex(operand: Operand, replaced?: Dimension, value = ''): string {
    let index = ''
    for (const [k, loop] of this.#nest.registers.entries()) {
      if (!isRelevant(operand, loop.dimension)) continue
      const term = loop.dimension === replaced ? `(${value})` : `j_${k}`
      index = index === '' ? term : `(${index}) * ${loop.bound}u + ${term}`
    }
    return index === '' ? '0' : index
  }

  registerOffsets(operand: Operand, except?: Dimension): string[] {
    return this.#nest.registers.flatMap((loop, k) => {
      if (!isRelevant(operand, loop.dimension) || loop.dimension === except) return []
      return [`j_${k} * ${this.registerStep(operand, loop)}`]
    })
  }

  registerStep(operand: Operand, loop: NestLoop): string {
    const alike = this.#nest.registers.filter(({ dimension }) => dimension === loop.dimension)
    const which = alike.length > 1 ? `_${alike.indexOf(loop)}` : ''
    return this.param(`a${SHORT[operand]}_reg_${loop.dimension}${which}`, this.distance(operand, loop.dimension, loop.step))
  }

  /** Whether the coordinate lies inside the problem, with the register loops over it up to the k-th open. */
  insideRegister(loop: NestLoop, k: number): string {
    const open = this.#nest.registers.slice(0, k + 1)
    const parts = [
      ...(this.coordinate[loop.dimension] === '' ? [] : [this.coordinate[loop.dimension]]),
      ...(this.laneDimensions.has(loop.dimension) ? [`lane_${loop.dimension.toLowerCase()}`] : []),
      ...open.flatMap(({ dimension, step }, j) => (dimension === loop.dimension ? [`j_${j} * ${step}u`] : [])),
    ]
    return `${parts.join(' + ')} < ${extentParam(loop.dimension)}`
  }

  active(inside: readonly string[]): string {
    const guards = [...this.laneDimensions].map((dimension) => this.#guard[dimension] ?? 'true')
    return ['lane_on', ...guards, ...inside].join(' && ')
  }

  laneGuard(dimension: Dimension): void {
    const name = `on_${dimension.toLowerCase()}_${this.#guards++}`
    const base = this.coordinate[dimension]
    this.line(`let ${name} = ${base === '' ? '' : `${base} + `}lane_${dimension.toLowerCase()} < ${extentParam(dimension)};`)
    this.#guard[dimension] = name
  }

  addressStep(operand: Operand, dimension: Dimension): string {
    const step = this.#addresses[operand][dimension]
    return step === undefined || !isRelevant(operand, dimension) ? '' : this.param(`a${SHORT[operand]}_${dimension}`, step)
  }

  origin(...dimensions: readonly Dimension[]): string {
    return dimensions.map((dimension) => this.coordinate[dimension] || '0u').join(', ')
  }
}
