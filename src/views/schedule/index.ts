export { Keeper, type IKeeperProps } from './keeper';
export { Field, type IFieldProps } from './field';
export { newSchedule, ScheduleForm, type IScheduleFormProps } from './form';
export { ParameterFields, Policies, type IPoliciesProps } from './policies';
