import { CASES } from './cases/tei.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)
