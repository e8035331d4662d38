import { GEMM, LINEAR, MATMUL } from '../cases/products.ts'
import { runTables } from './run-table.ts'

runTables(GEMM, MATMUL, LINEAR)
