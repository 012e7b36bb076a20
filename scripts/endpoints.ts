const isHttp = (value: string): boolean => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);

/**
 * Looks at the option `--endpoint`, `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>`; an empty variable is none. The SDK takes
 * `localhost:4566` for a URL of the scheme `localhost`, and fails without a word of it.
 * @throws Error that names the option or variable.
 */
export const checkEndpoints = (given: Readonly<Record<string, string | undefined>>): void => {
  for (const [name, value] of Object.entries(given)) {
    const isOption = name === '--endpoint';
    if (value === undefined || (!isOption && (value === '' || !/^AWS_ENDPOINT_URL(_|$)/.test(name)))) continue;
    if (!isHttp(value)) throw new Error(`${name}: expected a URL such as http://127.0.0.1:4566, found "${value}"`);
  }
};
