package dl4jbridge.fused;

import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.gradient.DefaultGradient;
import org.deeplearning4j.nn.gradient.Gradient;
import org.deeplearning4j.nn.layers.recurrent.RnnOutputLayer;
import org.deeplearning4j.nn.params.DefaultParamInitializer;
import org.deeplearning4j.nn.workspace.ArrayType;
import org.deeplearning4j.nn.workspace.LayerWorkspaceMgr;
import org.deeplearning4j.util.TimeSeriesUtils;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The layer of {@link FusedRnnOutput}. A backward pass without a mask, and with one-hot labels under a softmax,
 * goes through an {@link OutputLoss}, which knows the score as well; everything else is stock's.
 */
public final class FusedRnnOutputLayer extends RnnOutputLayer {
    private static final long serialVersionUID = 1L;
    private static final String W = DefaultParamInitializer.WEIGHT_KEY;
    private static final String B = DefaultParamInitializer.BIAS_KEY;

    private final transient OutputLoss loss;
    /** What the last backward pass saw, if it knows the score of it. */
    private transient INDArray scoredInput;
    private transient INDArray scoredLabels;
    private transient boolean computed;

    FusedRnnOutputLayer(NeuralNetConfiguration conf, DataType dataType) {
        super(conf, dataType);
        loss = ((FusedRnnOutput) layerConf()).loss();
    }

    /**
     * Weighs the squared errors of the segments to come; the factors are those of {@link SquaredError}. DL4J divides the
     * gradient by the batch behind it.
     */
    public void weighSquaredError(double square, double preEmphasis, double offset, int from) {
        ((SquaredError) loss).weigh(new SquaredError.Weights(square, preEmphasis, offset, from));
    }

    /** What a {@link FusedStack} needs of this layer. */
    OutputLoss loss() {
        return loss;
    }

    OutputLoss.Weights weights() {
        return new OutputLoss.Weights(getParam(W), getParam(B));
    }

    OutputLoss.Weights gradients() {
        return new OutputLoss.Weights(gradientViews.get(W), gradientViews.get(B));
    }

    @Override
    public Pair<Gradient, INDArray> backpropGradient(INDArray epsilon, LayerWorkspaceMgr workspaces) {
        assertInputSet(true);
        forgetScore();
        computed = covers() && loss.read(labels);
        if (!computed) {
            return super.backpropGradient(epsilon, workspaces);
        }
        INDArray x = droppedOut(input.castTo(dataType), workspaces);
        INDArray inputRows = workspaces.createUninitialized(
                ArrayType.ACTIVATION_GRAD, dataType, new long[] {x.size(2), x.size(0), x.size(1)}, 'c');
        loss.backward(x, new OutputLoss.Weights(getParamWithNoise(W, true, workspaces),
                getParamWithNoise(B, true, workspaces)), gradients(), inputRows);
        if (layerConf().getIDropout() == null) {
            scoredInput = input;
            scoredLabels = labels;
        } else {
            backpropDropOutIfPresent(inputRows.reshape('c', x.size(2) * x.size(0), x.size(1)));
        }
        weightNoiseParams.clear();
        Gradient gradient = new DefaultGradient();
        gradient.gradientForVariable().put(W, gradientViews.get(W));
        gradient.gradientForVariable().put(B, gradientViews.get(B));
        return new Pair<>(gradient, Sequence.view(inputRows));
    }

    /** The input with dropout, drawn as stock draws it: on [batch * steps, size] in 'f' order. */
    private INDArray droppedOut(INDArray x, LayerWorkspaceMgr workspaces) {
        if (layerConf().getIDropout() == null) {
            return x;
        }
        INDArray all = input;
        input = TimeSeriesUtils.reshape3dTo2d(x.dup('f'), workspaces, ArrayType.BP_WORKING_MEM);
        applyDropOutIfNecessary(true, workspaces);
        INDArray dropped = input.dup('c').reshape('c', x.size(2), x.size(0), x.size(1));
        input = all;
        return Sequence.view(dropped);
    }

    private boolean covers() {
        return maskArray == null && layerConf().getWeightNoise() == null
                && input.rank() == 3 && labels.rank() == 3
                && input.size(0) == labels.size(0) && input.size(2) == labels.size(2)
                && labels.size(1) == layerConf().getNOut();
    }

    @Override
    public double computeScore(double regularization, boolean training, LayerWorkspaceMgr workspaces) {
        if (!isScored()) {
            return super.computeScore(regularization, training, workspaces);
        }
        score = (conf().isMiniBatch() ? loss.loss() / getInputMiniBatchSize() : loss.loss()) + regularization;
        forgetScore();
        return score;
    }

    private boolean isScored() {
        return scoredInput != null && scoredInput == input && scoredLabels == labels && maskArray == null;
    }

    /** Share of the samples of the last backward pass whose class was the likeliest; NaN if stock made that pass or there are no classes. */
    public double accuracy() {
        return computed ? loss.accuracy() : Double.NaN;
    }

    @Override
    public void clear() {
        super.clear();
        forgetScore();
    }

    private void forgetScore() {
        scoredInput = null;
        scoredLabels = null;
    }
}
