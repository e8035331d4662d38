/** What the page and its worker say to each other. The engine runs in the worker, so that the page answers while the CPU reference computes. */
import type { ProfileProgress } from '../profile/profile.ts'
import type { AdapterDescription, ProfileReport } from '../profile/report.ts'
import type { Problem } from '../schedule/problem.ts'

/** A network by its builder's name, or an ONNX file's bytes. */
export type Source = { readonly network: string } | { readonly file: string; readonly bytes: Uint8Array }

export interface ProfileRequest {
  readonly source: Source
  readonly dataflows: readonly string[]
  readonly hardware: string
  readonly precision: 'f32' | 'f16'
  readonly samples: number
}

/** What each call takes and gives. */
export interface Calls {
  open: { readonly request: undefined; readonly reply: Opened }
  inspect: { readonly request: Source; readonly reply: Inspected }
  profile: { readonly request: ProfileRequest; readonly reply: ProfileReport }
}
export type CallName = keyof Calls

export interface Opened {
  readonly adapter: AdapterDescription
  readonly f16: boolean
}

export interface Inspected {
  readonly name: string
  readonly layers: readonly { readonly name: string; readonly problem: Problem; readonly macs: number }[]
  readonly nodes: number
  /** Symbolic dimensions of the file, all taken as 1. */
  readonly bound: readonly string[]
}

export type Request =
  | { [K in CallName]: { readonly id: number; readonly call: K; readonly request: Calls[K]['request'] } }[CallName]
  | { readonly id: number; readonly call: 'cancel' }

export type Reply =
  | { readonly id: number; readonly kind: 'done'; readonly value: Calls[CallName]['reply'] }
  | { readonly id: number; readonly kind: 'progress'; readonly event: ProfileProgress }
  | { readonly id: number; readonly kind: 'error'; readonly error: Failure }

/** An error as it crosses to the page: its class's name and its message. */
export interface Failure {
  readonly name: string
  readonly message: string
}
