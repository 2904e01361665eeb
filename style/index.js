import './base.css';
import './panel.css';
import './form.css';
import './sweep.css';
import './runs.css';
import './spent.css';
