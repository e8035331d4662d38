/**
 * Timeloop's architecture as a hardware: nested subtrees (v0.2, v0.3, and what v0.4 is processed into) or tagged nodes (v0.4). Think
 * of it as unrolling a tree of boxes into one shaft: storage from the outermost in, each with the number of boxes inside it.
 */
import { OptionError } from '../../errors.ts'
import type { Fanout, Hardware, StorageLevel } from '../../schedule/hardware.ts'
import type { Field } from '../yaml/read.ts'
import { attributesOf, capacityOf, checkAttributes, energyOf, isStorage, kindOf, type Attributes } from './attributes.ts'

export interface ReadArchitecture {
  readonly hardware: Hardware
  readonly constraints: readonly NodeConstraints[]
  readonly notes: readonly string[]
}

/** Constraints that stand at a node of v0.4. */
export interface NodeConstraints {
  /** The level that they are about. */
  readonly level: string
  /** The level whose fan-out the node's own mesh is. */
  readonly spread: string
  /** The value of `constraints`. */
  readonly field: Field
}

/** One storage, arithmetic unit or spatial container, from the outermost in; the mesh counts all its instances. */
interface Part {
  readonly name: string
  readonly className: string
  readonly attributes: Attributes
  readonly mesh: Fanout
  readonly field: Field
}

const LARGEST_MESH = 2 ** 31 - 1
const MOST_LEVELS = 32
const NODE_KEYS = new Set([
  'name',
  'class',
  'subclass',
  'attributes',
  'spatial',
  'constraints',
  'required_actions',
  'enabled',
  'nodes',
  'local',
  'subtree',
  'version',
])

/**
 * @param field the value of `architecture:`
 * @throws FileFormatError naming the line and the path of what is not read; OptionError for an architecture without storage
 */
export function readArchitecture(field: Field): ReadArchitecture {
  const reader = new Reader()
  if (field.get('nodes') !== undefined) reader.nodes(field.need('nodes').list(), NOTHING, false)
  else if (field.get('subtree') !== undefined) reader.subtrees(field.need('subtree').list(), NOTHING, 1)
  else throw field.refuse('there are neither nodes (v0.4) nor a subtree (v0.3)')
  return reader.finished(field)
}

const NOTHING: Attributes = new Map()

class Reader {
  readonly #parts: Part[] = []
  readonly #constraints: NodeConstraints[] = []
  readonly #notes: string[] = []
  /** Of the v0.4 nodes read so far. */
  #mesh: Fanout = { x: 1, y: 1 }
  #name: string | undefined

  /** v0.2, v0.3: each entry has `local` parts, from the outermost in, and subtrees below them. */
  subtrees(list: readonly Field[], inherited: Attributes, outer: number): void {
    for (const [index, tree] of list.entries()) {
      if (index > 0) throw tree.refuse('several subtrees side by side are not read', 'One path of levels is')
      checkKeys(tree)
      const { name, count } = instancesOf(tree)
      this.#name ??= name
      const attributes = attributesOf(tree.get('attributes'), inherited)
      const instances = counted(tree, outer * count)
      for (const part of tree.get('local')?.list() ?? []) {
        checkKeys(part)
        const own = instancesOf(part)
        const given = attributesOf(part.get('attributes'), attributes)
        const total = given.get('instances')?.integer({ least: 1 }) ?? counted(part, instances * own.count)
        // As Timeloop: without a mesh, all instances lie along x.
        const x =
          given.get('meshx')?.integer({ least: 1 }) ??
          (given.has('meshy') ? total / (given.get('meshy')?.integer({ least: 1 }) ?? 1) : total)
        const y = given.get('meshy')?.integer({ least: 1 }) ?? total / x
        if (!Number.isInteger(x) || !Number.isInteger(y) || x * y !== total) {
          throw part.refuse(`${total} instances do not fill a mesh of meshX ${x} and meshY ${y}`)
        }
        this.#add(part, own.name, given, { x, y })
      }
      const below = tree.get('subtree')
      if (below !== undefined) this.subtrees(below.list(), attributes, instances)
    }
  }

  /** v0.4: each node is inside the one before it; a container's mesh multiplies what follows. */
  nodes(list: readonly Field[], inherited: Attributes, isParallel: boolean): void {
    let attributes = inherited
    for (const node of list) {
      const kind =
        node.tag?.slice(1) ??
        (node.get('class') === undefined ? (node.get('nodes') === undefined ? 'Container' : 'Hierarchical') : 'Component')
      if (kind === 'Nothing') continue
      checkKeys(node)
      if (kind === 'Parallel' || kind === 'Hierarchical') {
        if (isParallel) throw node.refuse(`a !${kind} inside a !Parallel is not read`, 'One path of levels is')
        this.nodes(node.need('nodes').list(), attributes, kind === 'Parallel')
        continue
      }
      const { name, count } = instancesOf(node)
      if (kind !== 'Container' && kind !== 'Component') throw node.refuse(`nodes of kind !${kind} are not read`)
      const own = attributesOf(node.get('attributes'), attributes)
      const mesh = this.#meshOf(node, count)
      const isSpread = mesh.x * mesh.y > 1
      if (isParallel && (isSpread || kind === 'Container'))
        throw node.refuse('a spread inside a !Parallel is not read', 'Put it above')
      const level = kind === 'Container' ? `inter_${name}_spatial` : name
      const above = this.#parts.at(-1)?.name ?? level
      if (kind === 'Container') {
        this.#name ??= name
        attributes = own
        // A mesh gets a level of its own, which stores nothing and spreads: mappings name it so.
        if (isSpread)
          this.#parts.push({ name: level, className: 'dummy_storage', attributes: NOTHING, mesh: this.#mesh, field: node })
      }
      this.#mesh = { x: counted(node, this.#mesh.x * mesh.x), y: counted(node, this.#mesh.y * mesh.y) }
      if (kind === 'Component') this.#add(node, name, own, this.#mesh)
      const constraints = node.get('constraints')
      if (constraints !== undefined)
        this.#constraints.push({ level, spread: kind === 'Container' ? level : above, field: constraints })
    }
  }

  #meshOf(node: Field, count: number): Fanout {
    const spatial = node.get('spatial')
    for (const [key, value] of spatial?.map() ?? []) {
      if (!/^mesh_?[xy]$/i.test(key)) throw value.refuse(`${key} is not read`, 'meshX and meshY are')
    }
    const x = spatial?.get('meshX', 'mesh_x')?.integer({ least: 1 }) ?? 1
    const y = spatial?.get('meshY', 'mesh_y')?.integer({ least: 1 }) ?? 1
    if (count > 1 && spatial !== undefined) throw node.refuse('instances stand both in the name and in spatial', 'Keep one')
    return count > 1 ? { x: count, y: 1 } : { x, y }
  }

  #add(field: Field, name: string, attributes: Attributes, mesh: Fanout): void {
    const className = field.need('class').text()
    if (field.get('enabled')?.flag() === false) throw field.refuse(`${name} is not enabled`, 'Leave it out')
    const kind = kindOf(className)
    if (kind === 'network') {
      this.#notes.push(`${name} (class ${className}) is a network: not read`)
      return
    }
    checkAttributes(field, className, attributes, this.#notes)
    if (kind === undefined && !isStorage(attributes)) {
      throw field
        .need('class')
        .refuse(`${className} is known neither as storage nor as arithmetic`, 'Storage has a depth or a width')
    }
    this.#parts.push({ name, className, attributes, mesh, field })
  }

  finished(field: Field): ReadArchitecture {
    const units = this.#parts.filter(({ className }) => kindOf(className) === 'compute')
    const storage = this.#parts.filter(({ className }) => kindOf(className) !== 'compute')
    const [unit, another] = units
    if (unit === undefined) throw field.refuse('there is no arithmetic unit', 'Its class is intmac, fpmac, mac, …')
    if (another !== undefined) throw another.field.refuse(`there are several arithmetic units: ${unit.name} and ${another.name}`)
    if (this.#parts.at(-1) !== unit) throw unit.field.refuse(`${unit.name} is not the innermost part`)
    if (storage.length === 0) throw new OptionError(`${field.file}: the architecture has no storage`)
    if (storage.length > MOST_LEVELS) throw field.refuse(`there are ${storage.length} levels`, `At most ${MOST_LEVELS} are read`)
    const names = storage.map(({ name }) => name)
    const twice = storage.find(({ name }, index) => names.indexOf(name) !== index)
    if (twice !== undefined) throw twice.field.refuse(`two levels are called ${twice.name}`)
    const energies = [...storage, unit].map((part) => energyOf(part.className, part.attributes))
    const isPriced = energies.every((energy) => energy !== undefined)
    const prices = storage.map((part, index) => (isPriced ? (energies[index] ?? 0) : normalised(part, index)))
    this.#notes.push(
      isPriced
        ? 'energies are the file’s; a hop in the network costs 0, as the file gives none'
        : 'the file gives no energies (Timeloop takes them from Accelergy): normalised to one MAC, DRAM 200, buffer 6, register file 1, hop 2',
    )
    const widths = [
      ...new Set(
        storage
          .filter(({ className }) => kindOf(className) !== 'dummy')
          .map((part) => capacityOf(part.field, part.className, part.attributes).bits),
      ),
    ]
    if (widths.length > 1) this.#notes.push('levels have words of different widths: each holds one value')
    const { array, levels } = this.#levels(storage, unit, prices)
    const hardware: Hardware = {
      name: this.#name ?? 'timeloop',
      source: `Timeloop architecture in ${field.file}`,
      array,
      levels,
      network: { energy: isPriced ? 0 : 2 },
      mac: { energy: isPriced ? (energies.at(-1) ?? 1) : 1 },
      ...(widths.length === 1 && widths[0] !== undefined ? { word_bits: widths[0] } : {}),
      energy_unit: isPriced ? 'pJ' : 'MAC',
      notes: this.#notes,
    }
    return { hardware, constraints: this.#constraints, notes: this.#notes }
  }

  #levels(storage: readonly Part[], unit: Part, prices: readonly number[]): { array: Fanout; levels: StorageLevel[] } {
    let array: Fanout = { x: 1, y: 1 }
    const levels = storage.map((part, index): StorageLevel => {
      const next = storage[index + 1] ?? unit
      const fanout = { x: next.mesh.x / part.mesh.x, y: next.mesh.y / part.mesh.y }
      if (!Number.isInteger(fanout.x) || !Number.isInteger(fanout.y)) {
        throw next.field.refuse(
          `a mesh of ${next.mesh.x}×${next.mesh.y} below ${part.name}, a mesh of ${part.mesh.x}×${part.mesh.y}, is not the same for each`,
        )
      }
      const { words, read, write, isDouble } = capacityOf(part.field, part.className, part.attributes)
      const isAboveLast = index === storage.length - 2
      if (isAboveLast) array = fanout
      return {
        name: part.name,
        energy: prices[index] ?? 0,
        ...(words === undefined ? {} : { words }),
        ...(isAboveLast || fanout.x * fanout.y === 1 ? {} : { fanout }),
        ...(read === undefined && write === undefined
          ? {}
          : { bandwidth: { ...(read === undefined ? {} : { read }), ...(write === undefined ? {} : { write }) } }),
        ...(isDouble ? { double_buffered: true } : {}),
      }
    })
    return { array, levels }
  }
}

/** Chen, Emer, Sze, ISCA 2016, Table IV. What stands once is a buffer, what stands in each PE a register file. */
function normalised({ className, mesh }: Part, index: number): number {
  if (kindOf(className) === 'dummy') return 0
  if (/dram/i.test(className) || index === 0) return 200
  if (/sram/i.test(className) && mesh.x * mesh.y === 1) return 6
  return /reg|_rf$|^rf$/i.test(className) || mesh.x * mesh.y > 1 ? 1 : 6
}

function checkKeys(node: Field): void {
  for (const [key, value] of node.map()) {
    if (NODE_KEYS.has(key)) continue
    const isEmpty = value.value === null || (Array.isArray(value.value) && value.value.length === 0)
    if (/^(action_|area_|energy_|component_class)/.test(key) || isEmpty) continue
    throw value.refuse(`${key} is not read`, /sparse/.test(key) ? 'Counts are of dense operands: leave it out' : undefined)
  }
}

/** `PE[0..167]` is 168 instances called PE. */
function instancesOf(field: Field): { readonly name: string; readonly count: number } {
  const text = field.need('name').text()
  const match = /^([^[\]]{1,200})(?:\[(\d{1,10})(?:\.\.(\d{1,10}))?\])?$/.exec(text)
  const [, name, from, to] = match ?? []
  if (name === undefined) throw field.need('name').refuse(`${JSON.stringify(text.slice(0, 80))} is no name`, 'As PE or PE[0..167]')
  if (from === undefined) return { name, count: 1 }
  // NAME[N] is N instances; NAME[a..b] is b − a + 1.
  const count = to === undefined ? Number(from) : Number(to) - Number(from) + 1
  if (count < 1) throw field.need('name').refuse(`${text} has ${count} instances`)
  return { name, count }
}

function counted(field: Field, count: number): number {
  if (count <= LARGEST_MESH) return count
  throw field.refuse(`there are ${count} instances`, `At most ${LARGEST_MESH} are read`)
}
