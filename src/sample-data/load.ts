import { addFirstOperator } from '../commands/add-first-operator.ts';
import type { Dependencies } from '../commands/execute.ts';

export async function loadSampleData(dependencies: Dependencies): Promise<void> {
  await addFirstOperator(dependencies, 'operator@vendor.example');
}
