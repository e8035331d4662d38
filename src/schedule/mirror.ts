/**
 * A mapping made for any hardware as the nearest one that a workgroup can run. Think of it as a print of a large picture on smaller
 * paper, in tiles: the order of loops and what stays put are kept, what does not fit is cut, and every cut is said.
 *
 *   - levels are put together as workgroup.ts says: their loops follow each other, what one of them keeps the merged one keeps;
 *   - a spatial split wider than a workgroup becomes a narrower one and steps over it in time, innermost in the buffer's loops;
 *   - a tile that does not fit lets its outermost loops go to the level above, a part of a loop where that is enough;
 *   - DRAM's loops that bring no reuse run over workgroups; so do splits above the array, where they make separate outputs.
 */
import { MappingError } from '../errors.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import { checkMapping } from './check.ts'
import { withGrid } from './gpu-mapping.ts'
import { fanoutOf, type Hardware } from './hardware.ts'
import { bufferWords, laneLayout, registerWords, workgroupWords } from './lowering/lower.ts'
import { nestOf, type Nest } from './lowering/nest.ts'
import { keeps, type Loop, type Mapping } from './mapping.ts'
import { OPERANDS, REDUCTION, isRelevant, type Dimension, type Operand, type Problem } from './problem.ts'
import { fitWorkgroup } from './workgroup.ts'

export interface Mirror {
  /** Of three levels: DRAM, buffer, registers. */
  readonly mapping: Mapping
  /** The hardware as far as a workgroup holds it, under a grid of as many workgroups as the mapping uses. */
  readonly hardware: Hardware
  /** What was merged, shrunk, moved and dropped. */
  readonly notes: readonly string[]
}

/**
 * @param mapping legal on `hardware`, which may have any number of levels
 * @throws MappingError when the mapping is not legal, or no workgroup can run even its smallest tiles
 */
export function mirrorMapping(problem: Problem, hardware: Hardware, mapping: Mapping, device: DeviceFacts): Mirror {
  checkMapping(problem, hardware, mapping)
  const { hardware: fitted, array, notes } = fitWorkgroup(hardware, device)
  const sheet = new Sheet(problem, fitted, mapping, array, [...notes])
  sheet.settle(device)
  sheet.spread()
  const mirrored = sheet.mapping()
  const grid = withGrid(fitted, mirrored)
  checkMapping(problem, grid, mirrored)
  return { mapping: mirrored, hardware: grid, notes: sheet.notes }
}

type Place = 'grid' | 'dram' | 'buffer' | 'x' | 'y' | 'registers'

/** The six lists of loops while they are being fitted. */
class Sheet {
  readonly notes: string[]
  readonly #problem: Problem
  readonly #hardware: Hardware
  readonly #loops: Record<Place, Loop[]> = { grid: [], dram: [], buffer: [], x: [], y: [], registers: [] }
  readonly #keep: { buffer: readonly Operand[]; registers: readonly Operand[] }
  #forward: boolean

  constructor(problem: Problem, hardware: Hardware, mapping: Mapping, array: number, notes: string[]) {
    this.#problem = problem
    this.#hardware = hardware
    this.notes = notes
    const kept = (from: number, to: number): Operand[] =>
      OPERANDS.filter((operand) => mapping.levels.some((_, level) => level >= from && level < to && keeps(mapping, level, operand)))
    this.#keep = { buffer: kept(1, array + 1), registers: kept(array + 1, mapping.levels.length) }
    const forwards = mapping.levels.flatMap(({ forward = {} }, level) =>
      OPERANDS.filter((operand) => forward[operand] !== undefined).map((operand) => ({ level, operand, axis: forward[operand] })),
    )
    this.#forward = forwards.some(({ level, operand, axis }) => level === array && operand === 'inputs' && axis === 'x')
    const lost = forwards.filter(({ level, operand, axis }) => level !== array || operand !== 'inputs' || axis !== 'x')
    for (const { operand, axis } of lost)
      this.notes.push(`${operand} not forwarded along ${axis}: kernels hand on inputs along x alone`)
    for (const [level, { temporal, spatial, name }] of mapping.levels.entries()) {
      const place: Place = level === 0 ? 'dram' : level <= array ? 'buffer' : 'registers'
      this.#loops[place].push(...temporal.filter(([, bound]) => bound > 1))
      const split = { x: spatial?.x ?? [], y: spatial?.y ?? [] }
      if (level === array) {
        this.#loops.x.push(...split.x.filter(([, bound]) => bound > 1))
        this.#loops.y.push(...split.y.filter(([, bound]) => bound > 1))
        continue
      }
      for (const loop of [...split.x, ...split.y]) if (loop[1] > 1) this.#place(loop, place, name)
    }
    this.#groupsOutside()
  }

  /** A spatial split that is not the array's: workgroups where it makes separate outputs, else time. */
  #place(loop: Loop, place: Place, level: string): void {
    const [dimension, bound] = loop
    if (place !== 'registers' && !REDUCTION.includes(dimension)) {
      this.#loops.grid.push(loop)
      this.notes.push(`${dimension} ${bound} side by side below ${level}: over workgroups`)
      return
    }
    this.#loops[place].push(loop)
    this.notes.push(`${dimension} ${bound} side by side below ${level}: one after another`)
  }

  /** Groups share no words: their loops run outside all tiles. */
  #groupsOutside(): void {
    for (const place of ['buffer', 'x', 'y', 'registers'] as const) {
      for (const loop of this.#loops[place].filter(([dimension]) => dimension === 'G')) {
        this.#loops[place] = this.#loops[place].filter((other) => other !== loop)
        this.#loops.grid.push(loop)
        this.notes.push(`G ${loop[1]} moved to workgroups: groups share no words`)
      }
    }
  }

  mapping(): Mapping {
    const { grid, dram, buffer, x, y, registers } = this.#loops
    const [outer, middle, inner] = this.#hardware.levels
    return {
      levels: [
        { name: outer?.name ?? 'DRAM', temporal: dram, ...(grid.length > 0 ? { spatial: { x: grid } } : {}) },
        {
          name: middle?.name ?? 'buffer',
          temporal: buffer,
          spatial: { x, y },
          keep: this.#keep.buffer,
          ...(this.#forward ? { forward: { inputs: 'x' } } : {}),
        },
        { name: inner?.name ?? 'registers', temporal: registers, keep: this.#keep.registers },
      ],
    }
  }

  get #nest(): Nest {
    this.#gridApart()
    return nestOf(this.#problem, this.mapping())
  }

  /** A dimension is either a loop of DRAM in time or spread over workgroups. */
  #gridApart(): void {
    const { dram, grid } = this.#loops
    const both = grid.filter(([dimension]) => dram.some((loop) => loop[0] === dimension))
    if (both.length === 0) return
    this.#loops.grid = grid.filter((loop) => !both.includes(loop))
    this.#loops.dram = [...both, ...dram]
    for (const [dimension, bound] of both)
      this.notes.push(`${dimension} ${bound} over workgroups: one after another, as DRAM loops over it too`)
  }

  /** Cuts until a workgroup can run it. */
  settle(device: DeviceFacts): void {
    const [, buffer, registers] = this.#hardware.levels
    const fan = fanoutOf(this.#hardware, 1)
    const isForwarding = this.#forward
    this.#forward = false
    this.#windowOutside()
    this.#shrink(
      'registers',
      'buffer',
      () => registerWords(this.#nest) <= (registers?.words ?? 0),
      'the registers of an invocation',
    )
    this.#narrow(() => {
      const nest = this.#nest
      const lanes = nest.lanes.reduce((product, { bound }) => product * bound, 1)
      return lanes <= fan.x * fan.y && laneLayout(nest, device).count <= device.limits.maxComputeInvocationsPerWorkgroup
    })
    const fits = (): boolean => {
      const nest = this.#nest
      const words = bufferWords(nest)
      return words <= (buffer?.words ?? 0) && words + laneLayout(nest, device).networkWords <= workgroupWords(device)
    }
    for (const from of ['buffer', 'registers', 'y', 'x'] as const) this.#shrink(from, 'dram', fits, 'workgroup memory')
    if (!fits()) {
      throw new MappingError('Not even the smallest tiles of the mapping fit workgroup memory', {
        level: buffer?.name,
        words_needed: bufferWords(this.#nest),
        words_there: buffer?.words,
      })
    }
    this.#forward = isForwarding
    if (isForwarding) this.#checkForward(device)
  }

  /** Inputs kept in registers slide along Q or hold a window of S, not both (P and R alike). */
  #windowOutside(): void {
    if (!this.#keep.registers.includes('inputs')) return
    for (const [along, filter] of [
      ['P', 'R'],
      ['Q', 'S'],
    ] as const) {
      const { registers } = this.#loops
      if (!registers.some(([dimension]) => dimension === filter)) continue
      const moved = registers.filter(([dimension]) => dimension === along)
      if (moved.length === 0) continue
      this.#loops.registers = registers.filter((loop) => !moved.includes(loop))
      this.#loops.buffer.push(...moved)
      this.notes.push(`${along} moved from registers to the buffer's loops: an invocation holds a window of ${filter}`)
    }
  }

  /** Lets the outermost loops of a place go to another, the smallest part that is enough, until it fits. */
  #shrink(from: Place, to: Place, fits: () => boolean, what: string): void {
    while (!fits()) {
      const [loop, ...inner] = this.#loops[from]
      if (loop === undefined) return
      const [dimension, bound] = loop
      const outside = this.#loops[to]
      // Trips outside from 2 on, inner bounds that differ: 7 → 4, 3, 2, 1.
      for (let trips = 2, last = bound; trips <= bound; trips++) {
        const left = Math.ceil(bound / trips)
        if (left === last) continue
        last = left
        const used = Math.ceil(bound / left)
        this.#loops[to] = [...outside, [dimension, used]]
        this.#loops[from] = left === 1 ? inner : [[dimension, left], ...inner]
        if (fits() || left === 1) {
          this.notes.push(`${dimension} ${bound} of ${from}: ${used} tiles of ${left}, to fit ${what}`)
          break
        }
      }
    }
  }

  /** Halves the widest loop over lanes, and so on: what is left over runs in steps, innermost in the buffer's loops. */
  #narrow(fits: () => boolean): void {
    const { x, y, buffer } = this.#loops
    const splits = [...x.map((loop) => ({ axis: 'x', loop })), ...y.map((loop) => ({ axis: 'y', loop }))] as const
    const lanes = splits.map(({ loop }) => loop[1])
    while (!fits()) {
      const widest = Math.max(1, ...lanes)
      if (widest === 1) throw new MappingError('The lanes of the mapping do not fit a workgroup, however few they are')
      lanes[lanes.indexOf(widest)] = Math.ceil(widest / 2)
      const along = (wanted: string): Loop[] =>
        splits
          .flatMap(({ axis, loop }, k): Loop[] => (axis === wanted ? [[loop[0], lanes[k] ?? 1]] : []))
          .filter(([, bound]) => bound > 1)
      const steps = splits.map(({ loop }, k): Loop => [loop[0], Math.ceil(loop[1] / (lanes[k] ?? 1))])
      this.#loops.x = along('x')
      this.#loops.y = along('y')
      this.#loops.buffer = [...buffer, ...steps.filter(([, bound]) => bound > 1)]
    }
    for (const [k, { axis, loop }] of splits.entries()) {
      const left = lanes[k] ?? 1
      if (left === loop[1]) continue
      const steps = Math.ceil(loop[1] / left)
      this.notes.push(`${loop[0]} ${loop[1]} over ${axis}: ${steps} steps of ${left}, as a workgroup has fewer lanes`)
    }
  }

  #checkForward(device: DeviceFacts): void {
    try {
      laneLayout(this.#nest, device)
    } catch (error) {
      if (!(error instanceof MappingError)) throw error
      this.#forward = false
      this.notes.push(`inputs not forwarded: ${error.summary}`)
    }
  }

  /** DRAM's loops over outputs that no kept operand is reused across run over workgroups. */
  spread(): void {
    for (const dimension of ['G', 'N', 'M', 'P', 'Q'] as const) {
      const { dram, grid } = this.#loops
      const mine = dram.filter((loop) => loop[0] === dimension)
      const isFree = mine.every((loop) => this.#isFree(dram.indexOf(loop), dimension))
      if (mine.length === 0 || !isFree) continue
      this.#loops.dram = dram.filter((loop) => !mine.includes(loop))
      this.#loops.grid = [...grid, ...mine]
    }
    const groups = this.#loops.grid.reduce((product, [, bound]) => product * bound, 1)
    const spread = this.#loops.grid.map((loop) => loop.join(' ')).join(', ')
    this.notes.push(groups === 1 ? 'one workgroup runs all of it' : `${groups} workgroups: ${spread}`)
  }

  /** Whether each kept operand is fetched anew at each trip of DRAM's loop `at`. */
  #isFree(at: number, dimension: Dimension): boolean {
    const { dram, buffer } = this.#loops
    const { tile } = this.#nest
    return (['weights', 'inputs'] as const).every((operand) => {
      const isInBuffer = this.#keep.buffer.includes(operand)
      if (!isInBuffer && !this.#keep.registers.includes(operand)) return true
      const inside = [...dram.slice(at + 1), ...(isInBuffer ? [] : buffer)]
      if (inside.some((loop) => isRelevant(operand, loop[0]))) return true
      return isRelevant(operand, dimension) && !this.#overlaps(operand, dimension, tile)
    })
  }

  /** Whether windows of tiles side by side share words. */
  #overlaps(operand: Operand, dimension: Dimension, tile: Nest['tile']): boolean {
    if (operand !== 'inputs' || (dimension !== 'P' && dimension !== 'Q')) return false
    const k = dimension === 'P' ? 0 : 1
    const filter = tile[dimension === 'P' ? 'R' : 'S']
    return (filter - 1) * this.#problem.dilation[k] + 1 > this.#problem.stride[k]
  }
}
