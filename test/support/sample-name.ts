/** The name of the run's database with the sample organizations, beside this template. */
export const sampleName = (template: string): string => `${template}_sample`;
