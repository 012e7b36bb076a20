import { serve } from './serve.ts';

/** Two sites that check-site watches, on this machine: one that can be broken, and its neighbour, which is always well. */
export interface Sites {
  /** As listed in the stack parameter. */
  readonly shop: string;
  readonly blog: string;
  /** From here on the shop answers so. */
  answer(status: number): void;
  /** The answers that the shop has given, by status. */
  readonly given: readonly number[];
}

/** What follows the # is looked for in the body, and never sent. */
const wanted = 'open';

/** Ends with the process. */
export async function startSites(): Promise<Sites> {
  let status = 200;
  const given: number[] = [];
  const endpoint = await serve((request, response) => {
    const isShop = request.url === '/shop';
    if (isShop) given.push(status);
    response.writeHead(isShop ? status : 200).end(isShop && status !== 200 ? 'out of order' : wanted);
  });
  return {
    shop: `${endpoint}/shop#${encodeURIComponent(wanted)}`,
    blog: `${endpoint}/blog`,
    answer: (next) => {
      status = next;
    },
    given,
  };
}
