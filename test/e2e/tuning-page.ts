/** What the test of IndexedDB calls in its page. */
import { currentTuningSource } from '../../src/gpu/tuning.ts'
import { indexedDbPlace, pageTuning } from '../../src/profile/tuning-indexeddb.ts'
import { TuningStore } from '../../src/profile/tuning.ts'

export { currentTuningSource, indexedDbPlace, pageTuning, TuningStore }
