import fc from 'fast-check';

/** In CI a run judges the change, so the same random cases come each time; elsewhere every run looks for new ones. */
if (process.env.CI) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 20_261_121 });
