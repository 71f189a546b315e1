import { CASES } from './cases/openai.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)
