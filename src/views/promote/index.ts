export {
  inherited,
  nameOf,
  newPromotion,
  requestOf,
  type IPromoted,
  type IPromotion
} from './draft';
export { PromoteForm, sameFile } from './form';
export { MORE_FIELDS } from './more';
