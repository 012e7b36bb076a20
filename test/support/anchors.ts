/** The anchors that GitHub makes of a page's headings. */
export const anchorsOf = (page: string): string[] =>
  [...withoutCode(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );

/** A page without fenced blocks: in them a # begins a comment, and nothing is a link. */
export const withoutCode = (page: string): string => page.replace(/^( *)```[\s\S]*?^\1```$/gm, '');
