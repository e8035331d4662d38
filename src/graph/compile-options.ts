/** What a caller says of a compilation, and which of it a device can do. */
import { DtypeError, OptionError } from '../errors.ts'
import type { DeviceFacts } from '../gpu/program.ts'
import type { CompileProgress } from './execution.ts'
import { LAYOUT_CHOICES, type LayoutChoice } from './layout.ts'
import type { Ops } from './passes.ts'
import type { PlanNode } from './planning.ts'
import { SPARSITY_CHOICES, type SparsityChoice } from './sparsity.ts'

export type Precision = 'f32' | 'f16' | 'int8'

export interface CompileOptions {
  /** How float values are stored (default f32); sums are f32 always. */
  readonly precision?: Precision
  /** Weights uploaded, then pipelines compiled. */
  readonly onProgress?: (progress: CompileProgress) => void
  readonly signal?: AbortSignal
  /** May replace the default plan of a node: undefined leaves it. */
  readonly planNode?: PlanNode
  /** How feature maps lie: chosen over the graph (`auto`, default), or forced where nodes can; the model's own are nchw in any case. */
  readonly layout?: LayoutChoice
  /**
   * Which layers run their weights as 2:4: none (default), those whose weights hold it and that gain by it (`auto`), or all that can, pruned
   * by magnitude where they do not hold it (`2:4`).
   */
  readonly sparsity?: SparsityChoice
  /** Plans kept, one for each set of input shapes (default 4). */
  readonly plans?: number
  /** Ops by name (default: the registry). */
  readonly ops?: Ops
}

export interface CheckedOptions extends CompileOptions {
  readonly precision: 'f32' | 'f16'
  readonly plans: number
}

/** Every option, so that a misspelt one is no silence. */
const KNOWN: Readonly<Record<keyof CompileOptions, true>> = {
  precision: true,
  onProgress: true,
  signal: true,
  planNode: true,
  layout: true,
  sparsity: true,
  plans: true,
  ops: true,
}

/**
 * Options with their defaults.
 * @throws OptionError for one that there is not, or a value that it does not take; DtypeError for halves that the device lacks
 */
export function checkCompileOptions(options: CompileOptions, { features }: DeviceFacts): CheckedOptions {
  const unknown = Object.keys(options).filter((key) => !Object.hasOwn(KNOWN, key))
  if (unknown.length > 0) {
    throw new OptionError(`compile takes no option ${unknown.join(', ')}`, { remedy: `Options: ${Object.keys(KNOWN).join(', ')}` })
  }
  const { precision = 'f32', plans = 4, layout = 'auto', sparsity = 'none' } = options
  if (precision === 'int8') {
    throw new OptionError('Precision int8 is not available yet', { precision, remedy: 'Use f32 or f16' })
  }
  if (precision !== 'f32' && precision !== 'f16') {
    throw new OptionError(`There is no precision ${String(precision)}`, { remedy: 'Use f32 or f16' })
  }
  if (precision === 'f16' && !features.has('shader-f16')) {
    throw new DtypeError('This device has no half floats', {
      dtype: 'f16',
      limit: 'feature shader-f16 is missing',
      remedy: 'Use precision f32',
    })
  }
  if (!LAYOUT_CHOICES.includes(layout)) {
    throw new OptionError(`layout: there is no layout ${String(layout)}`, { remedy: `Layouts: ${LAYOUT_CHOICES.join(', ')}` })
  }
  if (!SPARSITY_CHOICES.includes(sparsity)) {
    throw new OptionError(`sparsity: there is no ${String(sparsity)}`, { remedy: `Choices: ${SPARSITY_CHOICES.join(', ')}` })
  }
  if (!Number.isInteger(plans) || plans < 1) throw new OptionError(`A model keeps at least one plan, not ${plans}`)
  return { ...options, precision, plans }
}
