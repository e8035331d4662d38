/**
 * Results of tuning in a page: one text in IndexedDB, read and written in one transaction, so that tabs and workers of an origin do not
 * lose each other's. Importing this module makes `openGpu` ask it, where there is an IndexedDB at all.
 */
import { OptionError } from '../errors.ts'
import { setTuningSource } from '../gpu/tuning.ts'
import { TuningStore, type TextPlace } from './tuning.ts'

const DATABASE = 'tilewright'
const STORE = 'tuning'
const KEY = 'results'

/** A text in the IndexedDB `factory` under `database`. */
export function indexedDbPlace(factory: Pick<IDBFactory, 'open'>, database: string = DATABASE): TextPlace {
  return {
    name: `IndexedDB ${database}`,
    read: () => transact(factory, database, 'readonly', (text) => ({ result: text })),
    update: async (change) => {
      await transact(factory, database, 'readwrite', (text) => ({ put: change(text) }))
    },
  }
}

interface Outcome {
  readonly result?: string | undefined
  readonly put?: string
}

/** Opens the database, hands its text to `task` within one transaction, puts what that gives, and resolves when it is on its way. */
async function transact(
  factory: Pick<IDBFactory, 'open'>,
  database: string,
  mode: IDBTransactionMode,
  task: (text: string | undefined) => Outcome,
): Promise<string | undefined> {
  const opened = await openDatabase(factory, database)
  try {
    return await new Promise((resolve, reject) => {
      const transaction = opened.transaction(STORE, mode)
      const store = transaction.objectStore(STORE)
      let outcome: Outcome = {}
      let fault: unknown
      const found = store.get(KEY)
      found.onsuccess = () => {
        const value: unknown = found.result
        try {
          outcome = task(value === undefined || typeof value === 'string' ? value : JSON.stringify(value))
          if (outcome.put !== undefined) store.put(outcome.put, KEY)
        } catch (error) {
          fault = error
          transaction.abort()
        }
      }
      transaction.oncomplete = () => resolve(outcome.result)
      transaction.onabort = () => reject(fault instanceof Error ? fault : refusal(database, transaction.error))
    })
  } finally {
    opened.close()
  }
}

function openDatabase(factory: Pick<IDBFactory, 'open'>, database: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    let request: IDBOpenDBRequest
    try {
      request = factory.open(database, 1)
    } catch (error) {
      // Pages without an origin of their own, and those that may not store data, are refused here.
      reject(refusal(database, error))
      return
    }
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STORE)
    }
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(refusal(database, request.error))
    request.onblocked = () => reject(refusal(database, null))
  })
}

function refusal(database: string, cause: unknown): OptionError {
  const reason = cause instanceof Error ? cause.message : 'another page holds it'
  return new OptionError(
    `IndexedDB ${database} cannot be used: ${reason}`,
    { remedy: 'Allow this site to store data, or open the GPU with tuning: false' },
    { cause },
  )
}

/** The store of this page, or undefined where there is no IndexedDB. */
export function pageTuning(): TuningStore | undefined {
  const { indexedDB: factory } = globalThis as { readonly indexedDB?: IDBFactory }
  return factory === undefined ? undefined : new TuningStore(indexedDbPlace(factory))
}

setTuningSource(pageTuning())
