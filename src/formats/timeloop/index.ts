/**
 * Timeloop's YAML files: problem, architecture, mapping and constraints, in one file or several, v0.2 to v0.4. Think of it as an
 * interpreter at the table: dense convolutions and matrix products are understood, anything that would be counted differently is
 * refused by name, with the line and the path, and what Timeloop does not count with is noted and left.
 */
import { FileFormatError, TilewrightError } from '../../errors.ts'
import type { Dataflow } from '../../schedule/dataflow.ts'
import type { Hardware } from '../../schedule/hardware.ts'
import type { Mapping } from '../../schedule/mapping.ts'
import type { Problem } from '../../schedule/problem.ts'
import { readYaml, type Field } from '../yaml/read.ts'
import { readArchitecture, type NodeConstraints } from './architecture.ts'
import { dataflowOf, listedConstraints, nodeConstraints, type Constraint, type ConstraintScope } from './constraints.ts'
import { readMapping } from './mapping.ts'
import { USUAL_DIMENSIONS, USUAL_OPERANDS, readProblem } from './problem.ts'

export { timeloopArchitecture, timeloopFile, timeloopMapping, timeloopProblem, type TimeloopOptions } from './write.ts'

export interface TimeloopSource {
  /** For messages. */
  readonly name: string
  readonly text: string
  /** The sections that count (`architecture`, …), where others hold in place of the rest; absent: all. */
  readonly sections?: readonly string[]
}

export interface ReadTimeloopOptions {
  /** What a mapping is for, where the files hold no architecture. */
  readonly hardware?: Hardware
  /** What a mapping is for, where the files hold no problem; its dimensions are then called as ours. */
  readonly problem?: Problem
}

export interface TimeloopFiles {
  readonly problem?: Problem
  readonly hardware?: Hardware
  readonly mapping?: Mapping
  /** What the constraints say, for the mapper. */
  readonly dataflow?: Dataflow
  /** Why the constraints are no dataflow, where they are none: thrown by who needs one. */
  readonly refusal?: TilewrightError
  /** What was set, renamed or left. */
  readonly notes: readonly string[]
}

const MOST_SOURCES = 64

/** Sections that hold nothing that is counted with. */
const LEFT: ReadonlyMap<string, string> = new Map([
  ['mapper', ''],
  ['globals', ''],
  ['variables', ''],
  ['dumped_by_timeloop_front_end', ''],
  ['compound_components', 'compound components are Accelergy’s: not read'],
  ['components', 'components are Accelergy’s: not read'],
  ['component_classes', 'components are Accelergy’s: not read'],
  ['ERT', 'the energy reference table is Accelergy’s: not read'],
  ['ERT_summary', 'the energy reference table is Accelergy’s: not read'],
  ['ART', 'the area reference table is Accelergy’s: not read'],
])
/** Sections that hold constraints. */
export const CONSTRAINTS = [
  'architecture_constraints',
  'arch_constraints',
  'mapspace_constraints',
  'constraints',
  'mapspace',
] as const

/** Whether a text looks like one of Timeloop's files: a section of theirs at the start of a line. */
export function looksLikeTimeloop(text: string): boolean {
  return /^(architecture|problem|mapping|(architecture|arch|mapspace)_constraints)\s*:/m.test(text.slice(0, 1 << 20))
}

/**
 * Problem, hardware, mapping and constraints of Timeloop's files, each where it is there.
 * @throws FileFormatError naming file, line and path of what is no YAML or not read; ShapeError, MappingError for values that do
 *   not fit each other
 */
export function readTimeloop(sources: readonly TimeloopSource[], options: ReadTimeloopOptions = {}): TimeloopFiles {
  if (sources.length > MOST_SOURCES)
    throw new FileFormatError(`${sources.length} files are too many`, { limit: `${MOST_SOURCES} files` })
  const notes: string[] = []
  const sections = sectionsOf(sources, notes)
  const section = (name: string): Field | undefined => sections.get(name)
  checkSparse(section('sparse_optimizations'))
  for (const name of ['architecture', 'problem', 'mapping']) checkVersion(section(name))

  const problemField = section('problem')
  const read = problemField === undefined ? undefined : readProblem(problemField)
  if (read !== undefined) notes.push(...read.notes)
  const architectureField = section('architecture')
  const architecture = architectureField === undefined ? undefined : readArchitecture(architectureField)
  if (architecture !== undefined) notes.push(...architecture.notes)
  const hardware = architecture?.hardware ?? options.hardware
  const names = { dimensions: read?.dimensions ?? USUAL_DIMENSIONS, operands: read?.operands ?? USUAL_OPERANDS }

  const mappingField = section('mapping')
  let mapping: Mapping | undefined
  if (mappingField !== undefined) {
    if (hardware === undefined) throw mappingField.refuse('there is no architecture to read the mapping for', 'Give its file too')
    mapping = readMapping(mappingField, { hardware, problem: read?.problem ?? options.problem, ...names })
  }
  const constraints = hardware === undefined ? [] : constraintsOf(sections, architecture?.constraints ?? [])
  const rules = hardware === undefined ? {} : stated(constraints, { hardware, ...names }, notes)
  return {
    ...(read === undefined ? {} : { problem: read.problem }),
    ...(architecture === undefined ? {} : { hardware: architecture.hardware }),
    ...(mapping === undefined ? {} : { mapping }),
    ...rules,
    notes,
  }
}

function sectionsOf(sources: readonly TimeloopSource[], notes: string[]): ReadonlyMap<string, Field> {
  const sections = new Map<string, Field>()
  for (const { name, text, sections: wanted } of sources) {
    const root = readYaml(name, text)
    if (root.value === null) throw new FileFormatError(`${name} is empty`)
    for (const [key, field] of root.map()) {
      if (wanted?.includes(key) === false) continue
      const before = sections.get(key)
      const left = LEFT.get(key)
      if (left === undefined) {
        if (before !== undefined && field.value !== null)
          throw field.refuse(`a second ${key}, beside that of ${before.file}:${before.line}`)
        if (!KNOWN.has(key)) throw field.refuse(`the section ${key} is not read`, `Known are ${[...KNOWN].slice(0, 4).join(', ')}`)
        if (field.value !== null) sections.set(key, field)
      } else if (left !== '' && !notes.includes(left)) notes.push(left)
    }
  }
  return sections
}

const KNOWN: ReadonlySet<string> = new Set(['architecture', 'problem', 'mapping', ...CONSTRAINTS, 'sparse_optimizations'])

function checkSparse(field: Field | undefined): void {
  if (field === undefined) return
  const targets = field.value instanceof Map ? (field.get('targets') ?? field) : field
  const isEmpty =
    (Array.isArray(targets.value) && targets.value.length === 0) || (targets.value instanceof Map && targets.value.size === 0)
  const isVersionOnly =
    targets.value instanceof Map && [...targets.value.keys()].every((key) => key === 'version' || key === 'targets')
  if (!isEmpty && !isVersionOnly)
    throw field.refuse('sparse optimizations are not read', 'Leave them out: counts are of dense operands')
}

function checkVersion(field: Field | undefined): void {
  const version = field?.value instanceof Map ? field.get('version') : undefined
  if (version !== undefined && !/^0\.[234]$/.test(version.text())) {
    throw version.refuse(`version ${version.text().slice(0, 20)} is not read`, 'Versions 0.2, 0.3 and 0.4 are')
  }
}

function constraintsOf(sections: ReadonlyMap<string, Field>, nodes: readonly NodeConstraints[]): Constraint[] {
  const listed = CONSTRAINTS.flatMap((name) => {
    const field = sections.get(name)
    return field === undefined ? [] : listedConstraints(field)
  })
  return [...listed, ...nodes.flatMap(nodeConstraints)]
}

/** A mapping can be evaluated whatever its constraints: one that is no dataflow is noted, and thrown by who needs a dataflow. */
function stated(
  constraints: readonly Constraint[],
  scope: ConstraintScope,
  notes: string[],
): Pick<TimeloopFiles, 'dataflow' | 'refusal'> {
  try {
    const dataflow = dataflowOf(constraints, scope)
    return dataflow === undefined ? {} : { dataflow }
  } catch (error) {
    if (!(error instanceof TilewrightError)) throw error
    notes.push(`constraints are not read: ${error.message}`)
    return { refusal: error }
  }
}
