import { PLACE } from '../cases/place.ts'
import { RELAYOUT } from '../cases/relayout.ts'
import { runTables } from './run-table.ts'

runTables(RELAYOUT, PLACE)
