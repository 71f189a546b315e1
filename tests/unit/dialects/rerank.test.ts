import { CASES } from './cases/rerank.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)
