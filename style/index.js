import './base.css';
import './panel.css';
import './form.css';
