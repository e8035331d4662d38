import { BATCH_NORM, LRN, SOFTMAX } from '../cases/norms.ts'
import { runTables } from './run-table.ts'

runTables(LRN, BATCH_NORM, SOFTMAX)
