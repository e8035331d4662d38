/** The explore page's worker: layers of networks, searches, evaluations and differences. Needs no GPU; one call after another. */
import { hardwareNamed } from '../../models/hardware/index.ts'
import { networkNamed } from '../../models/index.ts'
import { diffMappings } from '../cost/diff.ts'
import { evaluate } from '../cost/evaluate.ts'
import { FileFormatError } from '../errors.ts'
import { layerPlans } from '../profile/layers.ts'
import { MAPPING_SPACE_SCHEMA, brief, unitOf, type Chosen, type MappingSpace, type Sample } from '../profile/html/mapping/data.ts'
import { sampleMappings } from '../profile/html/mapping/sample.ts'
import type { Hardware } from '../schedule/hardware.ts'
import { loopNest } from '../schedule/loopnest.ts'
import { parseHardware, parseMapping, parseProblem } from '../schedule/parse.ts'
import { mapMany } from '../schedule/search/many.ts'
import type {
  Evaluated,
  ExploreCall,
  ExploreCalls,
  ExploreReply,
  ExploreRequest,
  LayerChoice,
  SearchRequest,
} from './explore-protocol.ts'
import type { Failure } from './protocol.ts'

/** Letters of JSON that a person may give. */
const LONGEST = 200_000
/** Points drawn of each dataflow's space. */
const SAMPLES = 200

const running = new Map<number, AbortController>()
let line: Promise<unknown> = Promise.resolve()

function post(reply: ExploreReply): void {
  self.postMessage(reply)
}

function readJson(text: string, what: string): unknown {
  if (text.length > LONGEST) throw new FileFormatError(`The ${what} has ${text.length} letters`, { limit: `${LONGEST} letters` })
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FileFormatError(`The ${what} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {}, { cause })
  }
}

const problemOf = (text: string) => parseProblem(readJson(text, 'problem'))
const hardwareOf = (text: string): Hardware =>
  text.trimStart().startsWith('{') ? parseHardware(readJson(text, 'hardware')) : hardwareNamed(text)
const mappingOf = (text: string) => parseMapping(readJson(text, 'mapping'))

function layers(network: string): readonly LayerChoice[] {
  const graph = networkNamed(network).build()
  return layerPlans(graph).map(({ name, problem }) => ({ name, problem }))
}

/** Each dataflow's best mapping, and the space around it; what was found when it is stopped. */
async function search(request: SearchRequest, id: number, signal: AbortSignal): Promise<MappingSpace> {
  const { title, dataflows, objective, budget, seed } = request
  const [problem, hardware] = [problemOf(request.problem), hardwareOf(request.hardware)]
  const chosen: Chosen[] = []
  const failed: { dataflow: string; why: string }[] = []
  const samples: Sample[] = []
  // Without a constraint last, from what the others found: so none of them is better.
  const order = [...dataflows.filter((name) => name !== 'none'), ...dataflows.filter((name) => name === 'none')]
  let before = 0
  for (const [done, dataflow] of order.entries()) {
    if (signal.aborted) break
    const from = dataflow === 'none' ? chosen.map(({ mapping }) => mapping) : []
    const [outcome] = await mapMany([{ problem, hardware, dataflow, objective, budget, seed, from }], {
      workers: 0,
      signal,
      onProgress: ({ seen }) => {
        post({ id, kind: 'progress', progress: { dataflow, done, total: order.length, seen: before + seen } })
      },
    })
    if (outcome?.error !== undefined) failed.push({ dataflow, why: outcome.error.message })
    if (outcome?.result === undefined) continue
    const { mapping, evaluation, searched } = outcome.result
    before += searched.seen
    chosen.push({ dataflow, mapping, evaluation, searched, nest: loopNest(problem, hardware, mapping) })
    if (signal.aborted) break
    for (const point of sampleMappings(problem, hardware, { dataflow, count: SAMPLES, seed })) {
      samples.push({ dataflow, energy: point.energy, cycles: point.cycles, brief: brief(point.mapping) })
    }
  }
  return { schema: MAPPING_SPACE_SCHEMA, title, problem, hardware, objective, chosen, samples, failed }
}

function judge({ problem, hardware, mapping }: ExploreCalls['evaluate']['request']): Evaluated {
  const [what, where, how] = [problemOf(problem), hardwareOf(hardware), mappingOf(mapping)]
  const evaluation = evaluate(what, where, how)
  return { evaluation, nest: loopNest(what, where, how), unit: unitOf({ hardware: where }) }
}

async function answer(
  message: Exclude<ExploreRequest, { call: 'cancel' }>,
  signal: AbortSignal,
): Promise<ExploreCalls[ExploreCall]['reply']> {
  switch (message.call) {
    case 'layers':
      return layers(message.request)
    case 'hardware':
      return JSON.stringify(hardwareNamed(message.request), null, 2)
    case 'search':
      return search(message.request, message.id, signal)
    case 'evaluate':
      return judge(message.request)
    case 'diff': {
      const { problem, hardware, a, b } = message.request
      return diffMappings(problemOf(problem), hardwareOf(hardware), mappingOf(a), mappingOf(b))
    }
    default:
      throw new Error(`Unknown call ${JSON.stringify(message satisfies never)}`)
  }
}

function failure(error: unknown): Failure {
  return error instanceof Error ? { name: error.name, message: error.message } : { name: 'Error', message: String(error) }
}

self.addEventListener('message', ({ data }: MessageEvent<ExploreRequest>) => {
  if (data.call === 'cancel') {
    running.get(data.id)?.abort()
    return
  }
  const { id } = data
  const controller = new AbortController()
  running.set(id, controller)
  line = line
    .then(() => answer(data, controller.signal))
    .then((value) => post({ id, kind: 'done', value }))
    .catch((error: unknown) => post({ id, kind: 'error', error: failure(error) }))
    .finally(() => running.delete(id))
})
