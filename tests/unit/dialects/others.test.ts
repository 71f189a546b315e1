import { CASES } from './cases/others.ts'
import { testDialect } from './dialect.case.ts'

CASES.forEach(testDialect)
