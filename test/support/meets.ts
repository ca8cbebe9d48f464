/** Whether the row meets a condition for Prisma. Supports only the operators that the conditions of states use. */
export function meets(row: Readonly<Record<string, unknown>>, where: object): boolean {
  return Object.entries(where).every(([name, condition]) => {
    if (name === 'OR') return condition.some((one: object) => meets(row, one));
    if (name === 'NOT') return !meets(row, condition);
    const value = row[name];
    if (typeof condition !== 'object' || condition === null) return value === condition;
    // The condition of a relation.
    if (isRow(value)) return meets(value, condition);
    return Object.entries(condition).every(([operator, operand]) => {
      if (operator === 'not') return value !== operand;
      if (operator === 'in') return Array.isArray(operand) && operand.includes(value);
      if (!(value instanceof Date && operand instanceof Date)) return false;
      if (operator === 'gt') return value > operand;
      if (operator === 'lte') return value <= operand;
      throw new Error(`No meaning for ${operator}`);
    });
  });
}

function isRow(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(value instanceof Date);
}
