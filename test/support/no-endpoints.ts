/** Whoever plays with the drill in the same terminal has these set; a test finds only what it starts itself. */
for (const name of Object.keys(process.env)) {
  if (name.startsWith('AWS_ENDPOINT_URL') || name === 'AWS_PROFILE') delete process.env[name];
}
