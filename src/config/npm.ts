/** Whether `npm start` runs this process. Known before the code of the gateway is loaded. */
export const isRunByNpm = process.env['npm_lifecycle_event'] === 'start';
