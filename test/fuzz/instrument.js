// Compiles the TypeScript of lib and of the fuzzer to JavaScript that a fuzzer can run, in a separate folder. The code of
// lib counts how often each of its branches was taken. Does not check types.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const COMPILER_OPTIONS = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ES2022,
  useDefineForClassFields: false,
  verbatimModuleSyntax: true
}
const HITS = '__hits'

/**
 * Compiles what has changed since the last time.
 * @param {string} root - the folder of the project
 * @param {string} out - where the same folders are created
 */
export function compile(root, out) {
  const self = readFileSync(fileURLToPath(import.meta.url))
  for (const folder of ['lib', 'test/fuzz', 'test/faults', 'test/support']) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.d.ts') || name.endsWith('.test.ts')) continue
      const source = readFileSync(join(root, folder, name), 'utf8')
      const target = join(out, folder, name.replace(/\.ts$/, '.js'))
      const mark = `// ${createHash('sha1').update(self).update(source).digest('hex')}\n`
      if (existsSync(target) && readFileSync(target, 'utf8').endsWith(mark)) continue
      mkdirSync(dirname(target), { recursive: true })
      const isCounted = folder === 'lib'
      // another process may do the same at this time, or read the file
      const draft = `${target}.${process.pid}`
      writeFileSync(draft, transpile(source, `${folder}/${name}`, isCounted) + mark)
      renameSync(draft, target)
    }
  }
}

function transpile(source, fileName, isCounted) {
  const transformers = isCounted ? { before: [context => file => countBranches(context, file, fileName)] } : {}
  return ts.transpileModule(source, { fileName, compilerOptions: COMPILER_OPTIONS, transformers }).outputText
}

/** Puts `__hits[n]++` at the start of each function, branch, loop and right operand of a logical operator. */
function countBranches(context, file, fileName) {
  const { factory } = context
  let count = 0

  const hit = () =>
    factory.createPostfixIncrement(
      factory.createElementAccessExpression(factory.createIdentifier(HITS), factory.createNumericLiteral(count++))
    )
  const counted = expression =>
    factory.createParenthesizedExpression(factory.createComma(hit(), factory.createParenthesizedExpression(expression)))
  const block = statement => {
    const statements = ts.isBlock(statement) ? statement.statements : [statement]
    return factory.createBlock([factory.createExpressionStatement(hit()), ...statements], true)
  }

  const visit = node => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return node
    const done = ts.visitEachChild(node, visit, context)
    if (ts.isFunctionDeclaration(done) && done.body) {
      const { modifiers, asteriskToken, name, typeParameters, parameters, type, body } = done
      return factory.updateFunctionDeclaration(
        done,
        modifiers,
        asteriskToken,
        name,
        typeParameters,
        parameters,
        type,
        block(body)
      )
    }
    if (ts.isMethodDeclaration(done) && done.body) {
      const { modifiers, asteriskToken, name, questionToken, typeParameters, parameters, type, body } = done
      return factory.updateMethodDeclaration(
        done,
        modifiers,
        asteriskToken,
        name,
        questionToken,
        typeParameters,
        parameters,
        type,
        block(body)
      )
    }
    if (ts.isArrowFunction(done)) {
      const { modifiers, typeParameters, parameters, type, equalsGreaterThanToken, body } = done
      const inner = ts.isBlock(body) ? block(body) : counted(body)
      return factory.updateArrowFunction(
        done,
        modifiers,
        typeParameters,
        parameters,
        type,
        equalsGreaterThanToken,
        inner
      )
    }
    if (ts.isIfStatement(done)) {
      const { expression, thenStatement, elseStatement } = done
      return factory.updateIfStatement(done, expression, block(thenStatement), elseStatement && block(elseStatement))
    }
    if (ts.isForStatement(done)) {
      const { initializer, condition, incrementor, statement } = done
      return factory.updateForStatement(done, initializer, condition, incrementor, block(statement))
    }
    if (ts.isForOfStatement(done)) {
      const { awaitModifier, initializer, expression, statement } = done
      return factory.updateForOfStatement(done, awaitModifier, initializer, expression, block(statement))
    }
    if (ts.isWhileStatement(done)) return factory.updateWhileStatement(done, done.expression, block(done.statement))
    if (ts.isCatchClause(done)) return factory.updateCatchClause(done, done.variableDeclaration, block(done.block))
    if (ts.isCaseClause(done)) {
      return factory.updateCaseClause(done, done.expression, [
        factory.createExpressionStatement(hit()),
        ...done.statements
      ])
    }
    if (ts.isConditionalExpression(done)) {
      const { condition, questionToken, whenTrue, colonToken, whenFalse } = done
      return factory.updateConditionalExpression(
        done,
        condition,
        questionToken,
        counted(whenTrue),
        colonToken,
        counted(whenFalse)
      )
    }
    if (ts.isBinaryExpression(done) && isLogical(done.operatorToken.kind)) {
      return factory.updateBinaryExpression(done, done.left, done.operatorToken, counted(done.right))
    }
    return done
  }

  const statements = ts.visitNodes(file.statements, visit)
  // const __hits = globalThis.__fuzz(fileName, count)
  const call = factory.createCallExpression(
    factory.createPropertyAccessExpression(factory.createIdentifier('globalThis'), '__fuzz'),
    undefined,
    [factory.createStringLiteral(fileName), factory.createNumericLiteral(count)]
  )
  const declaration = factory.createVariableDeclaration(HITS, undefined, undefined, call)
  const list = factory.createVariableDeclarationList([declaration], ts.NodeFlags.Const)
  return factory.updateSourceFile(file, [factory.createVariableStatement(undefined, list), ...statements])
}

function isLogical(kind) {
  return (
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken
  )
}
