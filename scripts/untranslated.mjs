// What a person reads goes through trans.__ or trans._n: what ESLint's no-restricted-syntax refuses.
const SHOWN = '/^(title|label|caption|placeholder|alt|aria-label|ariaLabel)$/';
const WORDS = '/[A-Za-z]{2}/';
const TEXT = `:matches(Literal[value=${WORDS}], TemplateLiteral:has(> TemplateElement[value.raw=${WORDS}]))`;
const CHILD =
  ":matches(JSXElement[openingElement.name.name!='code'], JSXFragment)";

export const untranslated = [
  `${CHILD} > JSXText[value=${WORDS}]`,
  `${CHILD} > JSXExpressionContainer > ${TEXT}`,
  `${CHILD} > JSXExpressionContainer > :matches(ConditionalExpression, LogicalExpression) > ${TEXT}`,
  `JSXAttribute[name.name=${SHOWN}] > Literal[value=${WORDS}]`,
  `JSXAttribute[name.name=${SHOWN}] > JSXExpressionContainer > ${TEXT}`,
  `JSXAttribute[name.name=${SHOWN}] > JSXExpressionContainer > :matches(ConditionalExpression, LogicalExpression) > ${TEXT}`,
  `Property[key.name=${SHOWN}] > ${TEXT}.value`,
  `Property[key.name=${SHOWN}] > ArrowFunctionExpression > ${TEXT}.body`,
  `AssignmentExpression[left.property.name=${SHOWN}] > ${TEXT}.right`,
  `NewExpression[callee.name=/Error$/] > ${TEXT}.arguments`,
  `CallExpression[callee.object.name='Notification'] > ${TEXT}:first-child`
].map(selector => ({
  selector,
  message: 'A person reads this: put it into trans.__.'
}));
