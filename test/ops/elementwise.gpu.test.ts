import { BINARY, CAST, CLIP, MAXOUT, PRELU, SUM, UNARY } from '../cases/elementwise.ts'
import { runTables } from './run-table.ts'

runTables(...UNARY, CLIP, ...BINARY, PRELU, SUM, MAXOUT, CAST)
