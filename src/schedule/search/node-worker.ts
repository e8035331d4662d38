/** Entry of dist/map-worker.js, the thread that Node's `nodeMapWorker` starts. */
import { parentPort } from 'node:worker_threads'
import { mapServer, type ToWorker } from './many.ts'

const port = parentPort
if (port === null) throw new Error('map-worker.js is started by mapMany, not by hand')
const handle = mapServer((message) => port.postMessage(message))
port.on('message', (message: ToWorker) => handle(message))
