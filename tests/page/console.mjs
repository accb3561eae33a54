// Uses the console as a person does, in Chromium without any script, and says what it saw as JSON on standard output.
//
// The first line of standard input: { tools, chromium, shots, base, token, job, strict, style, sizes: [{ name, width, height, scheme }] }.
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

const browser = await chromium.launch({
  executablePath: order.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
});

async function journey(size) {
  const { width, height, scheme } = size;
  const options = { viewport: { width, height }, colorScheme: scheme, locale: 'en-GB' };
  const context = await browser.newContext({ ...options, javaScriptEnabled: false });
  const judging = await browser.newContext(options);
  const page = await context.newPage();
  const requests = [];
  const complaints = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text());
  });
  const pages = [];
  const look = async (name, answer) => {
    const style = readFileSync(order.style, 'utf8');
    const html = await page.content();
    const judged = await judging.newPage();
    await judged.setContent(html.replace(/<link rel="stylesheet"[^>]*>/, `<style>${style}</style>`).replace(/<meta http-equiv="refresh"[^>]*>/, ''));
    await judged.evaluate(axe);
    const violations = await judged.evaluate(async () => {
      const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
      return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map((node) => node.html) }));
    });
    await judged.close();
    const seen = await page.evaluate(() => ({
      headline: document.querySelector('h1').textContent,
      text: document.body.innerText,
      overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth,
      styled: getComputedStyle(document.querySelector('header')).display === 'flex',
    }));
    await page.screenshot({ path: `${order.shots}/${name}-${size.name}.png`, fullPage: true });
    pages.push({ ...seen, name, status: answer?.status() ?? 0, violations });
  };
  const follow = async (act) => (await Promise.all([page.waitForNavigation({ waitUntil: 'load' }), act()]))[0];

  await look('welcome', await page.goto(`${order.base}/jobs`, { waitUntil: 'load' }));
  await page.fill('#token', 'not.a.token');
  await look('refused', await follow(() => page.click('main button')));
  await page.fill('#token', order.token);
  await look('jobs', await follow(() => page.click('main button')));
  const cookies = await context.cookies();
  await look('job', await follow(() => page.click(`text="${order.job}"`)));
  await follow(() => page.click('text="Jobs"'));
  await look('strict', await follow(() => page.click(`text="${order.strict}"`)));
  await look('policies', await follow(() => page.click('text="Policies"')));
  await look('missing', await page.goto(`${order.base}/jobs/there-is-none`, { waitUntil: 'load' }));
  await look('signed-out', await follow(() => page.click('header button')));
  const left = await context.cookies();
  await context.close();
  await judging.close();
  return { size: size.name, pages, requests, complaints, cookies, left };
}

const seen = [];
try {
  for (const size of order.sizes) seen.push(await journey(size));
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
