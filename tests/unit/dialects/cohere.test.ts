import { CASES } from './cases/cohere.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)
