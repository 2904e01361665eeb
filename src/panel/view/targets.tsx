import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { ServiceInfo, Status, TargetInfo } from '../../api/schema';
import { formatBytes } from '../../ui/format';

export interface IComputeProps {
  status: Status | null;
  trans: TranslationBundle;
  onMlflow(): void;
  onLog(): void;
}

/** Where runs execute, the service that hands them out, MLflow and the store. */
export function Compute(props: IComputeProps): JSX.Element {
  const { status, trans } = props;
  if (!status) {
    return <p className="jp-MlopsHint">{trans.__('Looking…')}</p>;
  }
  const { service } = status;
  return (
    <div className="jp-MlopsCompute">
      <ul aria-label={trans.__('Targets')}>
        {status.targets.map(target => (
          <li
            key={target.name}
            className="jp-MlopsLine"
            data-target={target.name}
          >
            <span
              className="jp-MlopsDot"
              data-state={target.state}
              aria-hidden="true"
            />
            <span className="jp-MlopsLine-name">{target.name}</span>
            <span className="jp-MlopsLine-value">
              {targetState(target, trans)}
            </span>
            {target.message && (
              <span className="jp-MlopsLine-note">{target.message}</span>
            )}
          </li>
        ))}
      </ul>
      <ul aria-label={trans.__('Services')}>
        <li
          className="jp-MlopsLine"
          title={
            service.host &&
            `${service.host} · ${service.pid}\n${service.python}`
          }
        >
          <span
            className="jp-MlopsDot"
            data-state={service.state}
            aria-hidden="true"
          />
          <span className="jp-MlopsLine-name">
            {trans.__('Service')}{' '}
            <button
              type="button"
              className="jp-MlopsLink"
              onClick={props.onLog}
            >
              {trans.__('log')}
            </button>
          </span>
          <span className="jp-MlopsLine-value">
            {serviceState(service, trans)}
          </span>
          {service.doing && service.state !== 'off' && (
            <span className="jp-MlopsLine-note">{service.doing}</span>
          )}
        </li>
        <li className="jp-MlopsLine">
          <span
            className="jp-MlopsDot"
            data-state={service.mlflow}
            aria-hidden="true"
          />
          <button
            type="button"
            className="jp-MlopsLink jp-MlopsLine-name"
            title={trans.__('Open MLflow in a tab')}
            onClick={props.onMlflow}
          >
            {trans.__('MLflow ↗')}
          </button>
          <span className="jp-MlopsLine-value">
            {mlflowState(service, trans)}
          </span>
          {service.mlflow_message && (
            <span className="jp-MlopsLine-note">{service.mlflow_message}</span>
          )}
        </li>
        <li className="jp-MlopsLine" title={status.store_path}>
          <span className="jp-MlopsDot jp-mod-none" aria-hidden="true" />
          <span className="jp-MlopsLine-name">{trans.__('Store')}</span>
          <span className="jp-MlopsLine-value">
            {formatBytes(status.store_bytes)}
          </span>
        </li>
      </ul>
      {status.warnings.map(warning => (
        <div key={warning} className="jp-MlopsProblem jp-mod-warning">
          {warning}
        </div>
      ))}
    </div>
  );
}

function targetState(target: TargetInfo, trans: TranslationBundle): string {
  switch (target.state) {
    case 'off':
      return trans.__('off');
    case 'starting':
      return trans.__('starting');
    case 'failed':
      return trans.__('failed');
    case 'idle':
      return target.slots > 0
        ? trans._n('%1 slot', '%1 slots', target.slots)
        : trans.__('idle');
    case 'ready':
      return trans.__('%1/%2 busy', target.busy, target.slots);
  }
}

function serviceState(service: ServiceInfo, trans: TranslationBundle): string {
  return service.state === 'off'
    ? trans.__('starts with a sweep')
    : service.state === 'starting'
      ? trans.__('starting')
      : trans.__('ready');
}

function mlflowState(service: ServiceInfo, trans: TranslationBundle): string {
  switch (service.mlflow) {
    case 'off':
      return trans.__('starts with a sweep');
    case 'starting':
      return trans.__('starting');
    case 'failed':
      return trans.__('does not answer');
    case 'ready':
      return trans.__('ready');
  }
}
