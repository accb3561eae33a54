// Opens pages in Chromium and says what it saw, as JSON on standard output. The test that starts it judges.
//
// The first line of standard input: { tools, chromium, shots, visits: [{ name, url, language, scheme, width, height, axe, press }] }.
// `axe`: judge the page with axe-core. `press`: press the page's button, without any script on the page.
// Standard input stays open as long as somebody waits for the answer: when it ends, so does this, and the browser with it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin });
const order = await new Promise((resolve) => lines.once('line', (line) => resolve(JSON.parse(line))));
lines.once('close', () => process.exit(1));
const require = createRequire(`${order.tools}/node_modules/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const PHONE = 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36';
const DESKTOP = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36';

const browser = await chromium.launch({
  executablePath: order.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
});

// One visitor of each kind: making a browser's context takes longer than most visits. Nothing is kept between two visits
// of one, because our pages set no cookie and are never stored.
const visitors = new Map();
function contextFor(wanted, javaScriptEnabled) {
  const { width, height, language, scheme } = wanted;
  const kind = [width, height, language, scheme, javaScriptEnabled].join(' ');
  if (!visitors.has(kind)) {
    const phone = width < 700;
    visitors.set(kind, browser.newContext({
      viewport: { width, height },
      deviceScaleFactor: phone ? 2 : 1,
      userAgent: phone ? PHONE : DESKTOP,
      locale: language,
      colorScheme: scheme,
      javaScriptEnabled,
    }));
  }
  return visitors.get(kind);
}

async function visit(wanted) {
  const context = await contextFor(wanted, false);
  const page = await context.newPage();
  try {
    const requests = [];
    const complaints = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) complaints.push(message.text());
    });
    let answer = await page.goto(wanted.url, { waitUntil: 'load' });
    if (wanted.press) {
      const [next] = await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), page.click('button')]);
      answer = next;
    }
    // Without JavaScript a browser loads lazy images at once, so that all have loaded or failed by now.
    const seen = await page.evaluate(() => ({
      lang: document.documentElement.lang,
      title: document.title,
      headline: document.querySelector('h1').textContent,
      images: document.images.length,
      broken: [...document.images].filter((image) => image.naturalWidth === 0).map((image) => image.src),
      overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth,
      headlineFitsFirstScreen: document.querySelector('h1').getBoundingClientRect().bottom <= innerHeight,
      styled: getComputedStyle(document.querySelector('main')).borderTopLeftRadius !== '0px',
      accent: getComputedStyle(document.querySelector('.brand') ?? document.body).backgroundColor,
    }));
    if (order.shots) await page.screenshot({ path: `${order.shots}/${wanted.name}.png`, fullPage: true, scale: 'css' });
    const html = await page.content();
    return {
      ...seen,
      name: wanted.name,
      status: answer.status(),
      contentLanguage: answer.headers()['content-language'] ?? '',
      bytes: Buffer.byteLength(html),
      complaints,
      violations: wanted.axe ? await judge(wanted, html) : [],
      foreign: requests.filter((url) => new URL(url).origin !== new URL(wanted.url).origin),
    };
  } finally {
    await page.close();
  }
}

// axe-core needs a page that may run scripts: the very same one is put before it, without asking the server again, which
// would be a second scan.
async function judge(wanted, html) {
  const context = await contextFor(wanted, true);
  const page = await context.newPage();
  try {
    await page.route(wanted.url, (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }));
    await page.goto(wanted.url, { waitUntil: 'load' });
    await page.evaluate(axe);
    return await page.evaluate(async () => {
      const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
      return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map((node) => node.html) }));
    });
  } finally {
    await page.close();
  }
}

// Several at once: while one page loads, another is judged.
const AT_ONCE = 4;
const seen = [];
let next = 0;
async function visitTheRest() {
  while (next < order.visits.length) {
    const at = next++;
    seen[at] = await visit(order.visits[at]);
  }
}
try {
  await Promise.all(Array.from({ length: AT_ONCE }, visitTheRest));
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
