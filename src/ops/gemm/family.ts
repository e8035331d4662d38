/**
 * What a kernel family of the matrix product is. Think of Problem → Selection → Config → Launch: a `Product` says what is computed, a
 * `Config` names a family and its tile sizes, the family turns both into dispatches. A choice (choose.ts), a forced configuration and
 * the autotuner all go through this one interface; which families there are is said once, in families.ts.
 */
import type { z } from 'zod'
import type { DeviceFacts, OpPlan } from '../../gpu/program.ts'
import type { Mapping } from '../../schedule/mapping.ts'
import { parsedOnce } from '../parsed.ts'
import type { Product } from './product.ts'

/** A family's name and its constants, as JSON: what the tuner keeps, what a caller forces, what a report prints. */
export interface Config {
  readonly kernel: string
}

/** Elements that the accessors of each operand load and store, over all dispatches: what the counted build counts. */
export type Accesses = Readonly<Record<string, { readonly loads: number; readonly stores: number }>>

export interface Family<C extends Config = Config> {
  /** `kernel` of its configurations, file name under kernels/ and shaders/gemm/. */
  readonly name: string
  /** Parses a configuration, with defaults. */
  readonly schema: z.ZodType<C>
  /** Why the family cannot run this product with this configuration on this device: the limit and the figure. Undefined: it can. */
  refusal(product: Product, config: C, device: DeviceFacts): string | undefined
  /** Configurations worth measuring for this product, all legal, at most about a dozen. Empty: the family does not fit. */
  candidates(product: Product, device: DeviceFacts): readonly C[]
  /** The dispatches. `product` is normalised, not empty; `config` is legal. */
  plan(product: Product, config: C, device: DeviceFacts): OpPlan
  /**
   * The loop nest that the kernel runs, as a mapping of the GPU as hardware (DRAM, GLB, RF; P = rows, M = columns, C = depth,
   * N = slices): what `evaluate` predicts accesses from.
   */
  mappingOf(product: Product, config: C, device: DeviceFacts): Mapping
  /** The product whose loop nest `mappingOf` is, for a family that runs another than it is given. Absent: it runs that. */
  nest?(product: Product, config: C): Product
  /** Global accesses in closed form, ragged edges and all: equal to what the counted build counts. */
  accesses(product: Product, config: C, device: DeviceFacts): Accesses
}

/** A family whose configurations are known only as JSON. */
export type AnyFamily = Family

/** A family as the registry holds it: what it is handed was parsed by its own schema. */
export function erased<C extends Config>(family: Family<C>): AnyFamily {
  const own = parsedOnce(family.schema)
  const { nest } = family
  return {
    name: family.name,
    schema: family.schema,
    refusal: (product, config, device) => family.refusal(product, own(config), device),
    candidates: (product, device) => family.candidates(product, device),
    plan: (product, config, device) => family.plan(product, own(config), device),
    mappingOf: (product, config, device) => family.mappingOf(product, own(config), device),
    ...(nest === undefined ? {} : { nest: (product, config) => nest(product, own(config)) }),
    accesses: (product, config, device) => family.accesses(product, own(config), device),
  }
}
