/** The Node entry: the same API, with Dawn as its WebGPU, paths beside URLs, and results of tuning in a file. */
import './gpu/node.ts'
import './formats/node-files.ts'
import { filePlace, tuningPath } from './formats/node-tuning.ts'
import { setTuningSource } from './gpu/tuning.ts'
import { TuningStore } from './profile/tuning.ts'

export * from './index.ts'
export { nodeMapWorker } from './schedule/search/node-spawn.ts'
export { filePlace, tuningPath } from './formats/node-tuning.ts'

const path = tuningPath(process.env)
setTuningSource(path === undefined ? undefined : new TuningStore(filePlace(path)))
