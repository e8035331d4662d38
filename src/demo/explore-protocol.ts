/** What the explore page and its workers say to each other. What a person typed crosses as text: the worker parses and refuses it. */
import type { MappingDiff } from '../cost/diff.ts'
import type { Evaluation } from '../cost/evaluation.ts'
import type { MappingSpace } from '../profile/html/mapping/data.ts'
import type { Objective } from '../schedule/mapper.ts'
import type { Problem } from '../schedule/problem.ts'
import type { Failure } from './protocol.ts'

/** A problem and a hardware as they were given: JSON, or the hardware's name. */
export interface Subject {
  readonly problem: string
  readonly hardware: string
}

export interface SearchRequest extends Subject {
  readonly title: string
  readonly dataflows: readonly string[]
  readonly objective: Objective
  readonly budget: number
  readonly seed: number
}

export interface Evaluated {
  readonly evaluation: Evaluation
  readonly nest: string
  readonly unit: string
}

export interface LayerChoice {
  readonly name: string
  readonly problem: Problem
}

/** What each call takes and gives. */
export interface ExploreCalls {
  layers: { readonly request: string; readonly reply: readonly LayerChoice[] }
  /** The JSON of a published hardware. */
  hardware: { readonly request: string; readonly reply: string }
  search: { readonly request: SearchRequest; readonly reply: MappingSpace }
  evaluate: { readonly request: Subject & { readonly mapping: string }; readonly reply: Evaluated }
  diff: { readonly request: Subject & { readonly a: string; readonly b: string }; readonly reply: MappingDiff }
}
export type ExploreCall = keyof ExploreCalls

export type ExploreRequest =
  | { [K in ExploreCall]: { readonly id: number; readonly call: K; readonly request: ExploreCalls[K]['request'] } }[ExploreCall]
  | { readonly id: number; readonly call: 'cancel' }

export interface SearchProgress {
  readonly dataflow: string
  readonly done: number
  readonly total: number
  /** Mappings evaluated so far. */
  readonly seen: number
}

export type ExploreReply =
  | { readonly id: number; readonly kind: 'done'; readonly value: ExploreCalls[ExploreCall]['reply'] }
  | { readonly id: number; readonly kind: 'progress'; readonly progress: SearchProgress }
  | { readonly id: number; readonly kind: 'error'; readonly error: Failure }
