/** All algorithms of convolution: the one place where one is registered. */
import { OptionError } from '../../errors.ts'
import type { DeviceFacts } from '../../gpu/program.ts'
import { parsedOnce } from '../parsed.ts'
import { DEFAULT_MAX_ERROR, type Algorithm, type AlgorithmConfig } from './algorithm.ts'
import { depthwise } from './algorithms/depthwise.ts'
import { direct } from './algorithms/direct.ts'
import { directTiled } from './algorithms/direct-tiled.ts'
import { fft } from './algorithms/fft.ts'
import { im2col } from './algorithms/im2col.ts'
import { implicitGemm } from './algorithms/implicit-gemm.ts'
import { winograd } from './algorithms/winograd.ts'
import { zeroSkipping } from './algorithms/zero-skipping.ts'
import type { Convolution } from './convolution.ts'

/** An algorithm whose configurations are known only as JSON. */
export type AnyAlgorithm = Algorithm

export const ALGORITHMS: ReadonlyMap<string, AnyAlgorithm> = new Map(
  [
    erased(depthwise),
    erased(direct),
    erased(directTiled),
    erased(fft),
    erased(im2col),
    erased(implicitGemm),
    erased(winograd),
    erased(zeroSkipping),
  ].map((algorithm) => [algorithm.name, algorithm]),
)

/** An algorithm as the registry holds it: what it is handed was parsed by its own schema. */
function erased<C extends AlgorithmConfig>(algorithm: Algorithm<C>): AnyAlgorithm {
  const own = parsedOnce(algorithm.schema)
  const { spread, accesses, estimate } = algorithm
  return {
    name: algorithm.name,
    schema: algorithm.schema,
    mixes: algorithm.mixes ?? false,
    places: algorithm.places ?? false,
    sparse: algorithm.sparse ?? false,
    refusal: (conv, config, device) => algorithm.refusal(conv, own(config), device),
    candidates: (conv, device) => algorithm.candidates(conv, device),
    plan: (conv, config, device) => algorithm.plan(conv, own(config), device),
    work: (conv, config, device) => algorithm.work(conv, own(config), device),
    error: (conv, config) => algorithm.error(conv, own(config)),
    ...(accesses === undefined ? {} : { accesses: (conv, config, device) => accesses(conv, own(config), device) }),
    ...(estimate === undefined ? {} : { estimate: (conv, config, device, rates) => estimate(conv, own(config), device, rates) }),
    ...(spread === undefined ? {} : { spread: (conv, config) => spread(conv, config === undefined ? undefined : own(config)) }),
  }
}

/** @throws OptionError for an algorithm that there is not */
export function algorithmNamed(name: string, op: string): AnyAlgorithm {
  const algorithm = ALGORITHMS.get(name)
  if (algorithm !== undefined) return algorithm
  throw new OptionError(`There is no algorithm ${name}`, { op, remedy: `Algorithms: ${[...ALGORITHMS.keys()].join(', ')}` })
}

/** Why an algorithm is refused, the caller's bound on its error included. Undefined: it is not. */
export function refusalOf(conv: Convolution, config: AlgorithmConfig, device: DeviceFacts): string | undefined {
  const algorithm = algorithmNamed(config.algorithm, conv.op)
  if (conv.place !== undefined && algorithm.places !== true) return 'it stores no part of a larger map'
  if (conv.sparsity !== undefined && algorithm.sparse !== true) return `it has no form for filters in ${conv.sparsity}`
  if (conv.layout !== conv.outputLayout && algorithm.mixes !== true) {
    return `X lies in ${conv.layout} and Y in ${conv.outputLayout}, and it keeps to one layout`
  }
  const own = algorithm.refusal(conv, config, device)
  if (own !== undefined) return own
  const error = algorithm.error(conv, config)
  const most = conv.maxError ?? DEFAULT_MAX_ERROR
  return error > most ? `its error bound is ${error.toPrecision(2)}, and maxError ${most.toPrecision(2)}` : undefined
}

/**
 * The configuration that a caller forces: an algorithm's name (its best by rule within the caller's bound is taken; where none is worth
 * measuring, what its schema takes by default), or its configuration.
 * @throws OptionError when it is none, or cannot run this convolution on this device; it never switches to another
 */
export function forced(conv: Convolution, given: string | AlgorithmConfig, device: DeviceFacts): AlgorithmConfig {
  const algorithm = algorithmNamed(typeof given === 'string' ? given : given.algorithm, conv.op)
  const parsed = algorithm.schema.safeParse(typeof given === 'string' ? bestOf(algorithm, conv, device) : given)
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    throw new OptionError(`This is no configuration of algorithm ${algorithm.name}: ${faults.join('; ')}`, { op: conv.op })
  }
  const refusal = refusalOf(conv, parsed.data, device)
  if (refusal === undefined) return parsed.data
  throw new OptionError(`Algorithm ${algorithm.name} cannot run this convolution: ${refusal}`, {
    op: conv.op,
    dtype: conv.x.dtype,
    shape: conv.x.shape,
    remedy: 'Choose another algorithm, or none',
  })
}

function bestOf(algorithm: AnyAlgorithm, conv: Convolution, device: DeviceFacts): AlgorithmConfig {
  const candidates = algorithm.candidates(conv, device)
  const legal = candidates.find((candidate) => refusalOf(conv, candidate, device) === undefined)
  return legal ?? candidates[0] ?? { algorithm: algorithm.name }
}

/** Every legal configuration worth measuring, of every algorithm. */
export function allCandidates(conv: Convolution, device: DeviceFacts): AlgorithmConfig[] {
  return [...ALGORITHMS.values()]
    .flatMap((algorithm) => algorithm.candidates(conv, device))
    .filter((config) => refusalOf(conv, config, device) === undefined)
}
