import { CONV2D } from '../../cases/conv2d.ts'
import { runTables } from '../run-table.ts'

runTables(CONV2D)
