/** A page that reads `openapi.json` beside it. It is whole: no style, script or font from anywhere else. */
export const DOCS_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API</title>
<style>
  :root { --ink: #1d2330; --soft: #5d6778; --line: #dde2ea; --paper: #fff; --card: #f6f8fb; --blue: #2257d6; --green: #147a4a; --red: #b3261e }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2c3442; --paper: #12161d; --card: #1a202a; --blue: #7aa5ff; --green: #5cc894; --red: #ff8a80 }
  }
  * { box-sizing: border-box }
  body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 54rem; color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, sans-serif }
  h1 { margin: 0; font-size: 1.6rem } h2 { margin: 2.2rem 0 .6rem; font-size: 1.1rem }
  p { margin: .2rem 0 1rem; color: var(--soft) } a { color: var(--blue) }
  details { margin: .4rem 0; border: 1px solid var(--line); border-radius: 8px; background: var(--card) }
  summary { padding: .55rem .8rem; cursor: pointer } summary > * { margin-right: .6rem }
  summary span { color: var(--soft) }
  .method { font: 600 12px ui-monospace, monospace; color: var(--green) } .post { color: var(--blue) }
  code, input, textarea, pre { font: 13px/1.45 ui-monospace, monospace }
  .body { padding: 0 .8rem .8rem }
  input, textarea { width: 100%; padding: .5rem; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 6px }
  textarea { margin-top: .4rem; min-height: 7rem; resize: vertical }
  button { margin: .5rem .6rem 0 0; padding: .35rem 1rem; color: #fff; background: #2257d6; border: 0; border-radius: 6px; font: inherit; cursor: pointer }
  pre { margin: .6rem 0 0; max-height: 24rem; overflow: auto; white-space: pre-wrap; word-break: break-word }
  .ok { color: var(--green) } .bad { color: var(--red) }
</style>
<h1>API</h1>
<p id="about">…</p>
<input id="key" type="password" placeholder="API key, where the server asks for one" aria-label="API key" autocomplete="off">
<main></main>
<script>
  const make = (tag, props = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), props)
    element.append(...children)
    return element
  }
  const show = (text) => {
    try { text = JSON.stringify(JSON.parse(text), null, 1).replace(/\\[\\s*(-?[\\d.][^"{}[\\]]*?)\\s*\\]/g, (_, list) => {
      const numbers = list.split(/,\\s*/)
      return '[' + numbers.slice(0, 8).join(', ') + (numbers.length > 8 ? ', … ' + numbers.length + ' numbers' : '') + ']'
    }) } catch {}
    return text.length > 20000 ? text.slice(0, 20000) + '…' : text
  }
  const card = (path, method, operation, example) => {
    const url = make('input', { value: path, ariaLabel: 'path' })
    const text = make('textarea', { value: example === undefined ? '' : JSON.stringify(example, null, 1), ariaLabel: 'body', spellcheck: false })
    const state = make('span')
    const answer = make('pre')
    const send = async () => {
      state.className = ''
      state.textContent = '…'
      answer.textContent = ''
      const key = document.querySelector('#key').value
      const headers = key === '' ? {} : { authorization: 'Bearer ' + key }
      const body = method === 'post' && text.value !== '' ? text.value : undefined
      if (body !== undefined) headers['content-type'] = 'application/json'
      const start = performance.now()
      try {
        const reply = await fetch('.' + url.value, { method: method.toUpperCase(), headers, body })
        const read = await reply.text()
        state.className = reply.ok ? 'ok' : 'bad'
        state.textContent = reply.status + ' in ' + Math.round(performance.now() - start) + ' ms'
        answer.textContent = show(read)
      } catch (error) {
        state.className = 'bad'
        state.textContent = String(error)
      }
    }
    const hasBody = operation.requestBody !== undefined
    return make('details', {},
      make('summary', {}, make('b', { className: 'method ' + method, textContent: method.toUpperCase() }), make('code', { textContent: path }), make('span', { textContent: operation.summary })),
      make('div', { className: 'body' }, url, ...(hasBody ? [text] : []), make('button', { textContent: 'Send', onclick: send }), state, answer))
  }
  const load = async () => {
    const { info, tags, paths } = await (await fetch('./openapi.json')).json()
    document.title = info.title
    document.querySelector('h1').textContent = info.title + ' ' + info.version
    const link = make('a', { href: './openapi.json', textContent: 'openapi.json' })
    document.querySelector('#about').replaceChildren(info.description + ' ', link)
    for (const { name } of tags) {
      const cards = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).filter(([, operation]) => operation.tags.includes(name)).map(([method, operation]) => {
        const content = operation.requestBody?.content['application/json']
        return card(path, method, operation, content?.examples?.[name]?.value ?? content?.example)
      }))
      document.querySelector('main').append(make('h2', { textContent: name }), ...cards)
    }
  }
  load().catch((error) => { document.querySelector('#about').textContent = String(error) })
</script>
</html>
`
