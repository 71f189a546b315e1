import { CASES } from './cases/huggingface.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)
